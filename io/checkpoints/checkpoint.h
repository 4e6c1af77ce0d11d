#ifndef LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_H_
#define LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/text/vocabulary.h"

namespace lockstep::io {

class H5Reader;

/// A named float32 array, row-major, borrowed: `values` must stay alive and unchanged while it is
/// written. An empty shape is a scalar, with one value.
struct TensorView {
  std::string name;  ///< a path below the checkpoint's root: "parameters/rnn.weight_ih_l0"
  std::vector<uint64_t> shape;
  std::span<const float> values;
};

/// Everything of a training but its arrays. io knows the names only as names: the trainer gives
/// them meaning, and io/FORMATS.md lists them.
struct CheckpointHeader {
  int64_t step = 0;           ///< updates done
  std::string configuration;  ///< the run configuration, text format
  std::string dataset_fingerprint;
  /// What tasks need to predict with, beside parameters and configuration: the vocabulary of those
  /// on text, further ones by name, and a text of the task's own (may be empty).
  std::optional<Vocabulary> vocabulary;
  std::map<std::string, Vocabulary> vocabularies;  ///< names without "/"
  std::string facts;
  std::map<std::string, int64_t> counters;  ///< position: epoch, step in the epoch, ...
  std::map<std::string, double> measures;   ///< best validation loss, state of the schedule, ...
};

/// Whether one thread may write a file of ours while another one reads others: a question to the
/// HDF5 library (Debian's says yes; as its makers build it, it says no).
bool FilesMayShareThreads();

/// Publishes a checkpoint under `path`: new name in the same folder, write, close, read back and
/// compare, seal, fsync, rename, fsync of the folder. The same contents give the same bytes, in
/// whatever order the tensors come. SystemError (full disk, failed fsync) or InputError (no folder,
/// no rights): the new file is gone and what stood under `path` still stands. std::invalid_argument
/// when a tensor's name is no path, occurs twice or is one of io's own, or when its shape does not
/// fit its values, or when a vocabulary's name is no name. Not collective: rank 0 calls it.
void WriteCheckpoint(const std::filesystem::path& path, const CheckpointHeader& header,
                     std::span<const TensorView> tensors);

/// A checkpoint that is open for reading. Arrays are read one by one, straight into the caller's
/// memory; what is not asked for is not read.
class CheckpointReader {
 public:
  /// Verifies the seal and the digest of the whole file and reads the header. InputError,
  /// DamagedFileError, SystemError.
  explicit CheckpointReader(std::filesystem::path path);
  ~CheckpointReader();
  CheckpointReader(const CheckpointReader&) = delete;
  CheckpointReader& operator=(const CheckpointReader&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const CheckpointHeader& header() const { return header_; }

  /// The names of all tensors, sorted.
  std::vector<std::string> Names() const;

  /// The shape of the tensor of this name; nullopt when there is none. DamagedFileError when it is
  /// not float32.
  std::optional<std::vector<uint64_t>> Shape(const std::string& name) const;

  /// Reads a tensor that is there and has as many values as `out`, and checks its digest.
  /// DamagedFileError; `out` may be overwritten even then.
  void Read(const std::string& name, std::span<float> out) const;

 private:
  std::filesystem::path path_;
  std::unique_ptr<const H5Reader> file_;
  CheckpointHeader header_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_H_
