#ifndef LOCKSTEP_IO_CHECKPOINT_H_
#define LOCKSTEP_IO_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/vocabulary.h"

namespace lockstep::io {

/// A named float32 array, row-major. An empty shape is a scalar, with one value.
struct Tensor {
  std::string name;  ///< a path below the checkpoint's root: "parameters/rnn.weight_ih_l0"
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

/// The same, borrowed: `values` must stay alive and unchanged while it is written.
struct TensorView {
  std::string name;
  std::vector<uint64_t> shape;
  std::span<const float> values;
};

/// Everything of a training but its arrays. io knows the names only as names: the trainer gives
/// them meaning, and io/FORMATS.md lists them.
struct CheckpointHeader {
  int64_t step = 0;           ///< updates done
  std::string configuration;  ///< the run configuration, text format
  std::string dataset_fingerprint;
  Vocabulary vocabulary;
  std::map<std::string, int64_t> counters;  ///< position: epoch, step in the epoch, ...
  std::map<std::string, double> measures;   ///< best validation loss, state of the schedule, ...
};

struct Checkpoint {
  CheckpointHeader header;
  std::vector<Tensor> tensors;  ///< sorted by name

  /// nullptr when there is none of this name. Borrowed from this checkpoint.
  const Tensor* Find(std::string_view name) const;
};

/// Publishes a checkpoint under `path`: new name in the same folder, write, close, read back and
/// compare, seal, fsync, rename, fsync of the folder. The same contents give the same bytes, in
/// whatever order the tensors come. SystemError (full disk, failed fsync) or InputError (no folder,
/// no rights): the new file is gone and what stood under `path` still stands. std::invalid_argument
/// when a tensor's name is no path, occurs twice or is one of io's own, or when its shape does not
/// fit its values. Not collective: rank 0 calls it.
void WriteCheckpoint(const std::filesystem::path& path, const CheckpointHeader& header,
                     std::span<const TensorView> tensors);

/// Verifies the seal, the digest and every checksum, then loads. InputError, DamagedFileError.
Checkpoint ReadCheckpoint(const std::filesystem::path& path);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_CHECKPOINT_H_
