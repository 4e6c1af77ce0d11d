#ifndef LOCKSTEP_TESTS_IO_WHOLE_CHECKPOINT_H_
#define LOCKSTEP_TESTS_IO_WHOLE_CHECKPOINT_H_

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoints/checkpoint.h"

namespace lockstep::io {

/// A tensor that owns its values.
struct Tensor {
  std::string name;
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

/// All that a checkpoint holds, for comparing; the product never holds one twice.
struct Checkpoint {
  CheckpointHeader header;
  std::vector<Tensor> tensors;  ///< sorted by name

  const Tensor* Find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(tensors, name, {}, &Tensor::name);
    return found != tensors.end() && found->name == name ? &*found : nullptr;
  }
};

/// The tensors of an open checkpoint, sorted by name.
inline std::vector<Tensor> ReadTensors(const CheckpointReader& reader) {
  std::vector<Tensor> tensors;
  for (const std::string& name : reader.Names()) {
    Tensor tensor = {name, *reader.Shape(name), {}};
    uint64_t size = 1;
    for (const uint64_t length : tensor.shape) size *= length;
    tensor.values.resize(size);
    reader.Read(tensor.name, tensor.values);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

inline Checkpoint ReadCheckpoint(const std::filesystem::path& path) {
  const CheckpointReader reader(path);
  return {reader.header(), ReadTensors(reader)};
}

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_WHOLE_CHECKPOINT_H_
