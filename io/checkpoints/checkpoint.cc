#include "io/checkpoints/checkpoint.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/checkpoints/checkpoint_layout.h"
#include "io/files/file_format.h"
#include "io/files/publish.h"
#include "io/files/seal.h"
#include "io/hdf5/h5.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"

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

bool HasArray(const H5Reader& file, const std::string& name) {
  return std::ranges::binary_search(file.array_names(), name);
}

H5Array OpenTensor(const H5Reader& file, const std::string& name) {
  H5Array array = file.OpenArray(name);
  if (array.type() != ElementType::kFloat32) file.FailBecause(name + " should be float32");
  return array;
}

}  // namespace

bool FilesMayShareThreads() { return H5IsThreadSafe(); }

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

CheckpointReader::CheckpointReader(std::filesystem::path path) : path_(std::move(path)) {
  const Seal seal = VerifyFile(path_);
  RequireFormat(path_, seal, kCheckpointFormat);
  file_ = std::make_unique<const H5Reader>(path_);
  header_ = ReadCheckpointHeader(*file_);
  if (header_.step != seal.step) {
    file_->FailBecause(
        fmt::format("its seal says step {} and its contents say {}", seal.step, header_.step));
  }
}

CheckpointReader::~CheckpointReader() = default;

std::vector<std::string> CheckpointReader::Names() const {
  std::vector<std::string> names;
  for (const std::string& rooted : file_->array_names()) {
    if (!IsOfCheckpointHeader(rooted)) names.push_back(rooted.substr(1));
  }
  return names;
}

std::optional<std::vector<uint64_t>> CheckpointReader::Shape(const std::string& name) const {
  const std::string rooted = "/" + name;
  if (IsOfCheckpointHeader(rooted) || !HasArray(*file_, rooted)) return std::nullopt;
  const H5Array array = OpenTensor(*file_, rooted);
  return array.is_scalar() ? std::vector<uint64_t>() : array.shape();
}

void CheckpointReader::Read(const std::string& name, std::span<float> out) const {
  const H5Array array = OpenTensor(*file_, "/" + name);
  if (array.size() != out.size()) {
    throw std::invalid_argument(fmt::format("{}: {} holds {} values, {} were asked for",
                                            path_.string(), name, array.size(), out.size()));
  }
  array.ReadAll(out.data());
}

}  // namespace lockstep::io
