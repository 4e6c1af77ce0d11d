#include "io/h5_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <hdf5.h>

#include "io/digest.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{4} << 20;
// Ours are two deep; a group that contains itself must not keep us for ever.
constexpr int kMostDepth = 16;

constexpr std::array kElementTypes = {ElementType::kUint8, ElementType::kUint16,
                                      ElementType::kUint32, ElementType::kUint64,
                                      ElementType::kFloat32};

hid_t MemoryType(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return H5T_NATIVE_UINT8;
    case ElementType::kUint16:
      return H5T_NATIVE_UINT16;
    case ElementType::kUint32:
      return H5T_NATIVE_UINT32;
    case ElementType::kUint64:
      return H5T_NATIVE_UINT64;
    case ElementType::kFloat32:
      return H5T_NATIVE_FLOAT;
  }
  return H5I_INVALID_HID;
}

std::string Child(const std::string& group, const std::string& name) {
  return group == "/" ? "/" + name : group + "/" + name;
}

// One attribute of an open object.
class Attribute {
 public:
  Attribute(const H5Calls& calls, const H5Handle& object, const std::string& object_name,
            const std::string& name)
      : calls_(calls),
        what_(fmt::format("read attribute {} of {}", name, object_name)),
        attribute_(calls(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), H5Aclose, what_)),
        type_(calls(H5Aget_type(attribute_.id()), H5Tclose, what_)) {
    const H5Handle space = calls(H5Aget_space(attribute_.id()), H5Sclose, what_);
    if (H5Sget_simple_extent_npoints(space.id()) != 1) Mismatch("one value");
  }

  bool IsInteger() const { return H5Tget_class(type_.id()) == H5T_INTEGER; }
  bool IsReal() const { return H5Tget_class(type_.id()) == H5T_FLOAT; }

  int64_t Integer() const {
    if (!IsInteger()) Mismatch("an integer");
    int64_t value = 0;
    calls_(H5Aread(attribute_.id(), H5T_NATIVE_INT64, &value), what_);
    return value;
  }

  double Real() const {
    if (!IsReal()) Mismatch("a floating-point number");
    double value = 0;
    calls_(H5Aread(attribute_.id(), H5T_NATIVE_DOUBLE, &value), what_);
    return value;
  }

  std::string String() const {
    if (H5Tget_class(type_.id()) != H5T_STRING || H5Tis_variable_str(type_.id()) != 0) {
      Mismatch("a string of fixed length");
    }
    std::string value(H5Tget_size(type_.id()), '\0');
    calls_(H5Aread(attribute_.id(), type_.id(), value.data()), what_);
    value.erase(std::find(value.begin(), value.end(), '\0'), value.end());
    return value;
  }

  std::string Description() const {
    if (IsInteger()) return DescribeAttribute(Integer());
    if (IsReal()) return DescribeAttribute(Real());
    return DescribeAttribute(String());
  }

 private:
  [[noreturn]] void Mismatch(std::string_view wanted) const {
    calls_.FailBecause(fmt::format("cannot {}: it should be {}", what_, wanted));
  }

  const H5Calls& calls_;
  std::string what_;
  H5Handle attribute_;
  H5Handle type_;
};

H5Handle OpenObject(const H5Calls& calls, const H5Handle& file, const std::string& name) {
  return calls(H5Oopen(file.id(), name.c_str(), H5P_DEFAULT), H5Oclose, "open " + name);
}

herr_t AddName(hid_t object, const char* name, const H5A_info_t* info, void* names) {
  static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

std::vector<std::string> AttributeNames(const H5Calls& calls, const H5Handle& object,
                                        const std::string& object_name) {
  std::vector<std::string> names;
  calls(H5Aiterate2(object.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, AddName, &names),
        "list the attributes of " + object_name);
  return names;
}

}  // namespace

H5Array::H5Array(const H5Calls* calls, std::string name, H5Handle dataset)
    : calls_(calls), name_(std::move(name)), dataset_(std::move(dataset)) {
  const std::string what = "open " + name_;
  const H5Handle type = (*calls_)(H5Dget_type(dataset_.id()), H5Tclose, what);
  const auto found = std::find_if(kElementTypes.begin(), kElementTypes.end(), [&](auto candidate) {
    return H5Tequal(type.id(), MemoryType(candidate)) > 0;
  });
  if (found == kElementTypes.end()) {
    calls_->FailBecause(name_ + " holds elements of a type that no file of ours has");
  }
  type_ = *found;
  const H5Handle space = (*calls_)(H5Dget_space(dataset_.id()), H5Sclose, what);
  const int rank = (*calls_)(H5Sget_simple_extent_ndims(space.id()), what);
  const H5Handle creation = (*calls_)(H5Dget_create_plist(dataset_.id()), H5Pclose, what);
  if (rank == 0 || H5Pget_layout(creation.id()) != H5D_CHUNKED) {
    calls_->FailBecause(name_ + " is not stored in chunks");
  }
  std::vector<hsize_t> shape(static_cast<size_t>(rank));
  (*calls_)(H5Sget_simple_extent_dims(space.id(), shape.data(), nullptr), what);
  shape_.assign(shape.begin(), shape.end());
  (*calls_)(H5Pget_chunk(creation.id(), rank, shape.data()), what);
  chunk_rows_ = shape[0];
  digest_ = Attribute(*calls_, dataset_, name_, kDigestAttribute).String();
  is_scalar_ = (*calls_)(H5Aexists(dataset_.id(), kScalarAttribute), what) > 0;
}

uint64_t H5Array::RowElements() const {
  uint64_t elements = 1;
  for (size_t i = 1; i < shape_.size(); ++i) elements *= shape_[i];
  return elements;
}

uint64_t H5Array::size() const { return shape_[0] * RowElements(); }

void H5Array::ReadRows(uint64_t first, uint64_t count, void* out) const {
  if (count == 0 || RowElements() == 0) return;
  H5Calls::PrepareThread();
  const std::string what = "read " + name_;
  std::vector<hsize_t> start(shape_.size(), 0);
  std::vector<hsize_t> length(shape_.begin(), shape_.end());
  start[0] = first;
  length[0] = count;
  const H5Handle space = (*calls_)(H5Dget_space(dataset_.id()), H5Sclose, what);
  const H5Handle memory = (*calls_)(
      H5Screate_simple(static_cast<int>(length.size()), length.data(), nullptr), H5Sclose, what);
  (*calls_)(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, length.data(),
                                nullptr),
            what);
  (*calls_)(H5Dread(dataset_.id(), MemoryType(type_), memory.id(), space.id(), H5P_DEFAULT, out),
            what);
}

void H5Array::ReadAll(void* out) const {
  ReadRows(0, shape_[0], out);
  CheckDigest(DigestHex(out, size() * ElementBytes(type_)));
}

void H5Array::Verify() const {
  const uint64_t row_bytes = RowElements() * ElementBytes(type_);
  const uint64_t chunks_bytes = std::max<uint64_t>(row_bytes * chunk_rows_, 1);
  const uint64_t rows = chunk_rows_ * std::max<uint64_t>(kPieceBytes / chunks_bytes, 1);
  std::vector<char> piece(std::min(rows, shape_[0]) * row_bytes);
  Digest digest;
  for (uint64_t first = 0; first < shape_[0]; first += rows) {
    const uint64_t count = std::min(rows, shape_[0] - first);
    ReadRows(first, count, piece.data());
    digest.Update(piece.data(), count * row_bytes);
  }
  CheckDigest(digest.Hex());
}

void H5Array::CheckDigest(const std::string& computed) const {
  if (computed != digest_) calls_->FailBecause("the digest of " + name_ + " does not hold");
}

H5Reader::H5Reader(const std::filesystem::path& path) : calls_(path, H5Calls::Purpose::kRead) {
  const H5Handle access = calls_(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "open the file");
  // Best effort: some parallel file systems know no locks. The user's HDF5_USE_FILE_LOCKING wins.
  calls_(H5Pset_file_locking(access.id(), true, true), "open the file");
  file_ = calls_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "open the file");
  ListObjects("/", 0);
  std::sort(array_names_.begin(), array_names_.end());
}

void H5Reader::ListObjects(const std::string& group, int depth) {
  if (depth > kMostDepth) FailBecause("its groups are nested too deeply");
  group_names_.push_back(group);
  const std::string what = "list " + group;
  const H5Handle handle = calls_(H5Gopen2(file_.id(), group.c_str(), H5P_DEFAULT), H5Gclose, what);
  H5G_info_t info;
  calls_(H5Gget_info(handle.id(), &info), what);
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const auto get_name = [&](char* out, size_t bytes) {
      return calls_(H5Lget_name_by_idx(handle.id(), ".", H5_INDEX_NAME, H5_ITER_INC, i, out, bytes,
                                       H5P_DEFAULT),
                    what);
    };
    std::string name(static_cast<size_t>(get_name(nullptr, 0)), '\0');
    get_name(name.data(), name.size() + 1);
    const std::string child = Child(group, name);
    switch (H5Iget_type(OpenObject(calls_, file_, child).id())) {
      case H5I_GROUP:
        ListObjects(child, depth + 1);
        break;
      case H5I_DATASET:
        array_names_.push_back(child);
        break;
      default:
        FailBecause(child + " is neither a group nor an array");
    }
  }
}

H5Array H5Reader::OpenArray(const std::string& name) const {
  const std::string what = "open " + name;
  const H5Handle access = calls_(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, what);
  // Readers take whole chunks and keep what they need, so a cache of chunks would be a second copy.
  calls_(H5Pset_chunk_cache(access.id(), 0, 0, H5D_CHUNK_CACHE_W0_DEFAULT), what);
  return H5Array(&calls_, name,
                 calls_(H5Dopen2(file_.id(), name.c_str(), access.id()), H5Dclose, what));
}

H5Array H5Reader::OpenArray(const std::string& name, ElementType type) const {
  H5Array array = OpenArray(name);
  if (array.type() != type || array.shape().size() != 1) {
    FailBecause(fmt::format("{} should be {} in one dimension", name, ElementName(type)));
  }
  return array;
}

std::string H5Reader::ReadText(const std::string& name) const {
  const H5Array array = OpenArray(name, ElementType::kUint8);
  std::string text(array.size(), '\0');
  array.ReadAll(text.data());
  return text;
}

int64_t H5Reader::ReadInteger(const std::string& object, const std::string& name) const {
  return Attribute(calls_, OpenObject(calls_, file_, object), object, name).Integer();
}

std::string H5Reader::ReadString(const std::string& object, const std::string& name) const {
  return Attribute(calls_, OpenObject(calls_, file_, object), object, name).String();
}

std::map<std::string, int64_t> H5Reader::ReadIntegers(const std::string& group) const {
  std::map<std::string, int64_t> values;
  if (std::find(group_names_.begin(), group_names_.end(), group) == group_names_.end()) return {};
  const H5Handle object = OpenObject(calls_, file_, group);
  for (const std::string& name : AttributeNames(calls_, object, group)) {
    values[name] = Attribute(calls_, object, group, name).Integer();
  }
  return values;
}

std::map<std::string, double> H5Reader::ReadReals(const std::string& group) const {
  std::map<std::string, double> values;
  if (std::find(group_names_.begin(), group_names_.end(), group) == group_names_.end()) return {};
  const H5Handle object = OpenObject(calls_, file_, group);
  for (const std::string& name : AttributeNames(calls_, object, group)) {
    values[name] = Attribute(calls_, object, group, name).Real();
  }
  return values;
}

H5Contents H5Reader::Contents() const {
  H5Contents contents;
  std::vector<std::string> objects = group_names_;
  for (const std::string& name : array_names_) {
    const H5Array array = OpenArray(name);
    array.Verify();
    contents[name] = DescribeArray(array.type(), array.shape(), array.digest());
    objects.push_back(name);
  }
  for (const std::string& name : objects) {
    const H5Handle object = OpenObject(calls_, file_, name);
    for (const std::string& attribute : AttributeNames(calls_, object, name)) {
      contents[name + "@" + attribute] = Attribute(calls_, object, name, attribute).Description();
    }
  }
  return contents;
}

}  // namespace lockstep::io
