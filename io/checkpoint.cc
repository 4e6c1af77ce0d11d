#include "io/checkpoint.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/checkpoint_layout.h"
#include "io/file_format.h"
#include "io/h5_reader.h"
#include "io/h5_writer.h"
#include "io/publish.h"
#include "io/seal.h"

namespace lockstep::io {
namespace {

void RequireValid(const TensorView& tensor) {
  const std::string rooted = "/" + tensor.name + "/";
  const bool valid = !IsOfCheckpointHeader("/" + tensor.name) &&
                     rooted.find("//") == std::string::npos &&
                     rooted.find("/./") == std::string::npos;
  uint64_t size = 1;
  for (const uint64_t length : tensor.shape) size *= length;
  if (!valid || size != tensor.values.size()) {
    throw std::invalid_argument(
        fmt::format("tensor '{}': a bad name, or {} values for a shape of {}", tensor.name,
                    tensor.values.size(), size));
  }
}

std::vector<const TensorView*> SortedByName(std::span<const TensorView> tensors) {
  std::vector<const TensorView*> sorted;
  for (const TensorView& tensor : tensors) {
    RequireValid(tensor);
    sorted.push_back(&tensor);
  }
  const auto name = [](const TensorView* tensor) -> const std::string& { return tensor->name; };
  std::ranges::sort(sorted, {}, name);
  const auto twice = std::ranges::adjacent_find(sorted, {}, name);
  if (twice != sorted.end()) throw std::invalid_argument("two tensors " + (*twice)->name);
  return sorted;
}

Tensor ReadTensor(const H5Reader& reader, const std::string& name) {
  const H5Array array = reader.OpenArray(name);
  if (array.type() != ElementType::kFloat32) reader.FailBecause(name + " should be float32");
  Tensor tensor;
  tensor.name = name.substr(1);
  if (!array.is_scalar()) tensor.shape = array.shape();
  tensor.values.resize(array.size());
  array.ReadAll(tensor.values.data());
  return tensor;
}

}  // namespace

const Tensor* Checkpoint::Find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(tensors, name, {}, &Tensor::name);
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

void WriteCheckpoint(const std::filesystem::path& path, const CheckpointHeader& header,
                     std::span<const TensorView> tensors) {
  const std::vector<const TensorView*> sorted = SortedByName(tensors);
  NewFile file(path);
  H5Writer writer(file.path(), path);
  WriteCheckpointHeader(writer, header);
  for (const TensorView* tensor : sorted) {
    writer.WriteArray("/" + tensor->name, ElementType::kFloat32, tensor->shape,
                      tensor->values.data());
  }
  writer.CloseAndCompare();
  WriteSeal(file.path(), std::string(kCheckpointFormat.name), kCheckpointFormat.version,
            header.step);
  file.Publish();
}

Checkpoint ReadCheckpoint(const std::filesystem::path& path) {
  const Seal seal = VerifyFile(path);
  RequireFormat(path, seal, kCheckpointFormat);
  const H5Reader reader(path);
  Checkpoint checkpoint;
  checkpoint.header = ReadCheckpointHeader(reader);
  if (checkpoint.header.step != seal.step) {
    reader.FailBecause(fmt::format("its seal says step {} and its contents say {}", seal.step,
                                   checkpoint.header.step));
  }
  for (const std::string& name : reader.array_names()) {
    if (!IsOfCheckpointHeader(name)) checkpoint.tensors.push_back(ReadTensor(reader, name));
  }
  return checkpoint;
}

}  // namespace lockstep::io
