#include "io/hdf5/h5_writer.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <hdf5.h>

#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_reader.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kChunkBytes = uint64_t{1} << 20;

hid_t FileType(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return H5T_STD_U8LE;
    case ElementType::kUint16:
      return H5T_STD_U16LE;
    case ElementType::kUint32:
      return H5T_STD_U32LE;
    case ElementType::kUint64:
      return H5T_STD_U64LE;
    case ElementType::kInt64:
      return H5T_STD_I64LE;
    case ElementType::kFloat32:
      return H5T_IEEE_F32LE;
    case ElementType::kFloat64:
      return H5T_IEEE_F64LE;
  }
  return H5I_INVALID_HID;
}

// As many whole rows as make about a megabyte; a longer row is cut in the next dimension.
std::vector<uint64_t> ChunkShape(std::vector<uint64_t> chunk, uint64_t element_bytes) {
  for (uint64_t& length : chunk) length = std::max<uint64_t>(length, 1);
  uint64_t bytes = element_bytes;
  for (const uint64_t length : chunk) bytes *= length;
  for (uint64_t& length : chunk) {
    if (bytes <= kChunkBytes) break;
    const uint64_t row_bytes = bytes / length;
    length = std::max<uint64_t>(kChunkBytes / row_bytes, 1);
    bytes = length * row_bytes;
  }
  return chunk;
}

uint64_t Product(const std::vector<uint64_t>& shape) {
  uint64_t product = 1;
  for (const uint64_t length : shape) product *= length;
  return product;
}

std::string Parent(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == 0 ? "/" : name.substr(0, slash);
}

}  // namespace

H5Stream::H5Stream(H5Writer* writer, std::string name, ElementType type,
                   std::vector<uint64_t> shape, H5Handle dataset)
    : writer_(writer),
      name_(std::move(name)),
      type_(type),
      shape_(std::move(shape)),
      dataset_(std::move(dataset)) {}

void H5Stream::Append(const void* rows, uint64_t count) {
  if (count == 0) return;
  const H5Calls& calls = writer_->calls_;
  const std::string what = "write " + name_;
  std::vector<hsize_t> first(shape_.size(), 0);
  std::vector<hsize_t> length(shape_.begin(), shape_.end());
  first[0] = shape_[0];
  length[0] = count;
  shape_[0] += count;
  const std::vector<hsize_t> now(shape_.begin(), shape_.end());
  calls(H5Dset_extent(dataset_.id(), now.data()), what);
  const H5Handle space = calls(H5Dget_space(dataset_.id()), H5Sclose, what);
  const H5Handle memory = calls(
      H5Screate_simple(static_cast<int>(length.size()), length.data(), nullptr), H5Sclose, what);
  calls(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, first.data(), nullptr, length.data(),
                            nullptr),
        what);
  calls(H5Dwrite(dataset_.id(), FileType(type_), memory.id(), space.id(), H5P_DEFAULT, rows), what);
  digest_.Update(rows, Product({length.begin(), length.end()}) * ElementBytes(type_));
}

std::string H5Stream::Finish() {
  writer_->calls_(dataset_.Close(), "close " + name_);
  std::string digest = digest_.Hex();
  writer_->meant_[name_] = DescribeArray(type_, shape_, digest);
  writer_->WriteAttribute(name_, kDigestAttribute, digest);
  return digest;
}

H5Writer::H5Writer(const std::filesystem::path& path, const std::filesystem::path& name)
    : path_(path), name_(name), calls_(name, H5Calls::Purpose::kWrite), groups_{"/"} {
  const H5Handle creation = calls_(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "set up the file");
  calls_(H5Pset_userblock(creation.id(), kSealBytes), "set up the file");
  calls_(H5Pset_obj_track_times(creation.id(), false), "set up the file");
  const H5Handle access = calls_(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "set up the file");
  calls_(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V110, H5F_LIBVER_V110), "set up the file");
  // Nobody else knows the new name, and some file systems have no locks.
  calls_(H5Pset_file_locking(access.id(), false, true), "set up the file");
  file_ = calls_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), H5Fclose,
                 "create the file");
}

void H5Writer::EnsureGroup(const std::string& name) {
  if (!groups_.insert(name).second) return;
  EnsureGroup(Parent(name));
  const std::string what = "create " + name;
  // Not HDF5's own creation of missing groups: those would carry the time.
  const H5Handle creation = calls_(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, what);
  calls_(H5Pset_obj_track_times(creation.id(), false), what);
  calls_(H5Gcreate2(file_.id(), name.c_str(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), H5Gclose,
         what);
}

H5Handle H5Writer::CreateArray(const std::string& name, ElementType type,
                               const std::vector<uint64_t>& shape,
                               const std::vector<uint64_t>& most,
                               const std::vector<uint64_t>& chunk) {
  EnsureGroup(Parent(name));
  const std::string what = "create " + name;
  const int rank = static_cast<int>(shape.size());
  const std::vector<hsize_t> now(shape.begin(), shape.end());
  const std::vector<hsize_t> limit(most.begin(), most.end());
  const std::vector<hsize_t> piece(chunk.begin(), chunk.end());
  const H5Handle space = calls_(H5Screate_simple(rank, now.data(), limit.data()), H5Sclose, what);
  const H5Handle creation = calls_(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, what);
  calls_(H5Pset_chunk(creation.id(), rank, piece.data()), what);
  calls_(H5Pset_fletcher32(creation.id()), what);
  calls_(H5Pset_obj_track_times(creation.id(), false), what);
  const H5Handle access = calls_(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, what);
  // No chunk cache: a chunk that waits there is written by H5Dclose, which reports no error.
  calls_(H5Pset_chunk_cache(access.id(), 0, 0, H5D_CHUNK_CACHE_W0_DEFAULT), what);
  return calls_(H5Dcreate2(file_.id(), name.c_str(), FileType(type), space.id(), H5P_DEFAULT,
                           creation.id(), access.id()),
                H5Dclose, what);
}

void H5Writer::WriteArray(const std::string& name, ElementType type, std::vector<uint64_t> shape,
                          const void* elements) {
  const bool scalar = shape.empty();
  if (scalar) shape = {1};
  const uint64_t count = Product(shape);
  H5Handle dataset = CreateArray(name, type, shape, shape, ChunkShape(shape, ElementBytes(type)));
  if (count > 0) {
    calls_(H5Dwrite(dataset.id(), FileType(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, elements),
           "write " + name);
  }
  calls_(dataset.Close(), "close " + name);
  const std::string digest = DigestHex(elements, count * ElementBytes(type));
  meant_[name] = DescribeArray(type, shape, digest);
  WriteAttribute(name, kDigestAttribute, digest);
  if (scalar) WriteAttribute(name, kScalarAttribute, int64_t{1});
}

void H5Writer::WriteText(const std::string& name, const std::string& text) {
  WriteArray(name, ElementType::kUint8, {text.size()}, text.data());
}

H5Stream H5Writer::StartStream(const std::string& name, ElementType type,
                               const std::vector<uint64_t>& chunk) {
  std::vector<uint64_t> shape = chunk;
  std::vector<uint64_t> most = chunk;
  shape[0] = 0;
  most[0] = H5S_UNLIMITED;
  return H5Stream(this, name, type, shape, CreateArray(name, type, shape, most, chunk));
}

void H5Writer::WriteAttribute(const std::string& object, const std::string& name, int64_t value) {
  StoreAttribute(object, name, H5T_STD_I64LE, &value);
  meant_[object + "@" + name] = DescribeAttribute(value);
}

void H5Writer::WriteAttribute(const std::string& object, const std::string& name, double value) {
  StoreAttribute(object, name, H5T_IEEE_F64LE, &value);
  meant_[object + "@" + name] = DescribeAttribute(value);
}

void H5Writer::WriteAttribute(const std::string& object, const std::string& name,
                              const std::string& value) {
  const H5Handle type = calls_(H5Tcopy(H5T_C_S1), H5Tclose, "write " + object);
  calls_(H5Tset_size(type.id(), std::max<size_t>(value.size(), 1)), "write " + object);
  calls_(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "write " + object);
  calls_(H5Tset_cset(type.id(), H5T_CSET_UTF8), "write " + object);
  StoreAttribute(object, name, type.id(), value.c_str());
  meant_[object + "@" + name] = DescribeAttribute(value);
}

void H5Writer::StoreAttribute(const std::string& object, const std::string& name, int64_t type,
                              const void* value) {
  if (!meant_.contains(object)) EnsureGroup(object);
  const std::string what = fmt::format("write attribute {} of {}", name, object);
  const H5Handle owner = calls_(H5Oopen(file_.id(), object.c_str(), H5P_DEFAULT), H5Oclose, what);
  const H5Handle space = calls_(H5Screate(H5S_SCALAR), H5Sclose, what);
  const H5Handle attribute =
      calls_(H5Acreate2(owner.id(), name.c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT),
             H5Aclose, what);
  calls_(H5Awrite(attribute.id(), type, value), what);
}

void H5Writer::CloseAndCompare() {
  calls_(file_.Close(), "close the file");
  std::string difference;
  try {
    const H5Contents found = H5Reader(path_).Contents();
    const auto [meant, read] =
        std::mismatch(meant_.begin(), meant_.end(), found.begin(), found.end());
    if (meant == meant_.end() && read == found.end()) return;
    difference = meant == meant_.end() ? read->first : meant->first;
  } catch (const InputError& error) {
    difference = error.what();
  }
  std::error_code ignored;
  const auto space = std::filesystem::space(path_, ignored);
  if (!ignored && space.available < kChunkBytes) ThrowWriteFailure(name_, ENOSPC);
  calls_.FailBecause("it does not read back as it was written: " + difference);
}

}  // namespace lockstep::io
