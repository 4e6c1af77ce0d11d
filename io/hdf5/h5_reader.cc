#include "io/hdf5/h5_reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <hdf5.h>

#include "io/files/digest.h"
#include "io/files/file_descriptor.h"
#include "io/files/seal.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{4} << 20;

// No file of ours comes near these. A seal is no proof of good will: a file may be made to keep a
// reader busy for ever, or to make it ask for all the memory there is.
constexpr int kMostDepth = 16;
constexpr int kMostDimensions = 8;
constexpr size_t kMostObjects = size_t{1} << 16;
constexpr size_t kMostAttributes = size_t{1} << 12;  // of one object
constexpr size_t kMostNameBytes = 255;
constexpr size_t kMostStringBytes = size_t{1} << 16;
constexpr size_t kMostNumberBytes = 8;

// What HDF5 1.10 writes behind a user block of ours, up to the end of the file. The structures that
// an extension of the superblock may name (a cached image of the metadata, other drivers) are none
// of ours, so HDF5 never gets to parse them. HDF5 specification, III.A.
constexpr std::string_view kSuperblockBegins(
    "\x89HDF\r\n\x1a\n"
    "\x03\x08\x08\x00"  // version; sizes of offsets and lengths; not open for writing
    "\x00\x02\x00\x00\x00\x00\x00\x00"   // base address: behind the user block
    "\xff\xff\xff\xff\xff\xff\xff\xff",  // no extension
    28);

#if H5_VERSION_GE(1, 12, 0)
using ObjectInfo = H5O_info1_t;
#else
using ObjectInfo = H5O_info_t;
#endif

constexpr std::array kElementTypes = {
    ElementType::kUint8, ElementType::kUint16,  ElementType::kUint32, ElementType::kUint64,
    ElementType::kInt64, ElementType::kFloat32, ElementType::kFloat64};

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
    case ElementType::kInt64:
      return H5T_NATIVE_INT64;
    case ElementType::kFloat32:
      return H5T_NATIVE_FLOAT;
    case ElementType::kFloat64:
      return H5T_NATIVE_DOUBLE;
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
    if (!IsInteger() || Bytes() > kMostNumberBytes) Mismatch("an integer");
    int64_t value = 0;
    calls_(H5Aread(attribute_.id(), H5T_NATIVE_INT64, &value), what_);
    return value;
  }

  double Real() const {
    if (!IsReal() || Bytes() > kMostNumberBytes) Mismatch("a floating-point number");
    double value = 0;
    calls_(H5Aread(attribute_.id(), H5T_NATIVE_DOUBLE, &value), what_);
    return value;
  }

  std::string String() const {
    if (H5Tget_class(type_.id()) != H5T_STRING || H5Tis_variable_str(type_.id()) != 0) {
      Mismatch("a string of fixed length");
    }
    if (Bytes() > kMostStringBytes) Mismatch("a short string");
    std::string value(Bytes(), '\0');
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

  size_t Bytes() const { return H5Tget_size(type_.id()); }

  const H5Calls& calls_;
  std::string what_;
  H5Handle attribute_;
  H5Handle type_;
};

H5Handle OpenObject(const H5Calls& calls, const H5Handle& file, const std::string& name) {
  return calls(H5Oopen(file.id(), name.c_str(), H5P_DEFAULT), H5Oclose, "open " + name);
}

// Names that HDF5 calls out one by one, in no order.
struct Names {
  bool Add(const char* name) {
    if (names.size() == most || std::char_traits<char>::length(name) > kMostNameBytes) return false;
    names.emplace_back(name);
    return true;
  }

  size_t most = 0;
  std::vector<std::string> names = {};
  bool links_to_elsewhere = false;
};

herr_t AddAttribute(hid_t object, const char* name, const H5A_info_t* info, void* names) {
  return static_cast<Names*>(names)->Add(name) ? 0 : 1;
}

herr_t AddLink(hid_t group, const char* name, const H5L_info_t* info, void* out) {
  Names& names = *static_cast<Names*>(out);
  names.links_to_elsewhere = info->type != H5L_TYPE_HARD;
  return names.links_to_elsewhere || !names.Add(name) ? 1 : 0;
}

std::vector<std::string> AttributeNames(const H5Calls& calls, const H5Handle& object,
                                        const std::string& object_name) {
  Names found{.most = kMostAttributes};
  // In HDF5's own order: for another one it would first build a table of as many as are claimed.
  if (calls(H5Aiterate2(object.id(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, AddAttribute, &found),
            "list the attributes of " + object_name) > 0) {
    calls.FailBecause(object_name + " has more or longer attributes than any file of ours");
  }
  return found.names;
}

// The product, an empty dimension counting as one; nullopt when 64 bits do not hold it.
std::optional<uint64_t> Product(const std::vector<hsize_t>& lengths, uint64_t element_bytes) {
  uint64_t product = element_bytes;
  for (const uint64_t length : lengths) {
    if (__builtin_mul_overflow(product, std::max<uint64_t>(length, 1), &product)) {
      return std::nullopt;
    }
  }
  return product;
}

void RequireSuperblock(const H5Calls& calls, const FileDescriptor& file) {
  std::string begin(kSuperblockBegins.size(), '\0');
  begin.resize(file.ReadAt(kSealBytes, begin.data(), begin.size()));
  if (begin != kSuperblockBegins)
    calls.FailBecause(
        "its HDF5 part does not begin as ours do (h5py: libver=(\"v110\", \"v110\"), "
        "userblock_size=512)");
}

}  // namespace

H5ArrayLayout::H5ArrayLayout(const H5Calls& calls, const H5Handle& dataset, const std::string& name,
                             uint64_t file_bytes) {
  const std::string what = "open " + name;
  const H5Handle creation = calls(H5Dget_create_plist(dataset.id()), H5Pclose, what);
  // First, because a layout of another kind may name other files, which must not even be looked at.
  if (H5Pget_layout(creation.id()) != H5D_CHUNKED) {
    calls.FailBecause(name + " is not stored in chunks");
  }
  const int filters = calls(H5Pget_nfilters(creation.id()), what);
  if (filters > 1 ||
      (filters == 1 && H5Pget_filter_by_id2(creation.id(), H5Z_FILTER_FLETCHER32, nullptr, nullptr,
                                            nullptr, 0, nullptr, nullptr) < 0)) {
    calls.FailBecause(name + " is stored through a filter that is not ours");
  }
  const H5Handle type_handle = calls(H5Dget_type(dataset.id()), H5Tclose, what);
  const auto found = std::find_if(kElementTypes.begin(), kElementTypes.end(), [&](auto candidate) {
    return H5Tequal(type_handle.id(), MemoryType(candidate)) > 0;
  });
  if (found == kElementTypes.end()) {
    calls.FailBecause(name + " holds elements of a type that no file of ours has");
  }
  type = *found;
  const H5Handle space = calls(H5Dget_space(dataset.id()), H5Sclose, what);
  const int rank = calls(H5Sget_simple_extent_ndims(space.id()), what);
  if (rank == 0 || rank > kMostDimensions) {
    calls.FailBecause(fmt::format("{} has {} dimensions", name, rank));
  }
  std::vector<hsize_t> lengths(static_cast<size_t>(rank));
  std::vector<hsize_t> chunk(lengths.size());
  calls(H5Sget_simple_extent_dims(space.id(), lengths.data(), nullptr), what);
  calls(H5Pget_chunk(creation.id(), rank, chunk.data()), what);
  const std::optional<uint64_t> product = Product(lengths, ElementBytes(type));
  const std::optional<uint64_t> chunk_product = Product(chunk, ElementBytes(type));
  const bool empty = std::find(lengths.begin(), lengths.end(), 0) != lengths.end();
  // All chunks of an array of ours are there, so the file is longer than the array, and than one
  // chunk. An empty one claims no bytes, but rows that are read one by one.
  if (!product || !chunk_product || *product > file_bytes ||
      (!empty && *chunk_product > file_bytes)) {
    calls.FailBecause(fmt::format("{} claims more bytes than the file has", name));
  }
  bytes = empty ? 0 : *product;
  shape.assign(lengths.begin(), lengths.end());
  chunk_rows = std::clamp<uint64_t>(chunk[0], 1, std::max<uint64_t>(shape[0], 1));
}

H5Array::H5Array(const H5Calls* calls, std::string name, H5Handle dataset, uint64_t file_bytes)
    : calls_(calls),
      name_(std::move(name)),
      dataset_(std::move(dataset)),
      layout_(*calls_, dataset_, name_, file_bytes),
      digest_(Attribute(*calls_, dataset_, name_, kDigestAttribute).String()),
      is_scalar_((*calls_)(H5Aexists(dataset_.id(), kScalarAttribute), "open " + name_) > 0) {}

uint64_t H5Array::RowElements() const {
  uint64_t elements = 1;
  for (size_t i = 1; i < shape().size(); ++i) elements *= shape()[i];
  return elements;
}

uint64_t H5Array::size() const { return layout_.bytes / ElementBytes(type()); }

void H5Array::ReadRows(uint64_t first, uint64_t count, void* out) const {
  if (count == 0 || RowElements() == 0) return;
  H5Calls::PrepareThread();
  const std::string what = "read " + name_;
  std::vector<hsize_t> start(shape().size(), 0);
  std::vector<hsize_t> length(shape().begin(), shape().end());
  start[0] = first;
  length[0] = count;
  const H5Handle space = (*calls_)(H5Dget_space(dataset_.id()), H5Sclose, what);
  const H5Handle memory = (*calls_)(
      H5Screate_simple(static_cast<int>(length.size()), length.data(), nullptr), H5Sclose, what);
  (*calls_)(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, length.data(),
                                nullptr),
            what);
  (*calls_)(H5Dread(dataset_.id(), MemoryType(type()), memory.id(), space.id(), H5P_DEFAULT, out),
            what);
}

void H5Array::ReadAll(void* out) const {
  ReadRows(0, shape()[0], out);
  CheckDigest(DigestHex(out, size() * ElementBytes(type())));
}

void H5Array::Verify() const {
  const uint64_t row_bytes = RowElements() * ElementBytes(type());
  const uint64_t chunks_bytes = std::max<uint64_t>(row_bytes * layout_.chunk_rows, 1);
  const uint64_t rows = layout_.chunk_rows * std::max<uint64_t>(kPieceBytes / chunks_bytes, 1);
  std::vector<char> piece(std::min(rows, shape()[0]) * row_bytes);
  Digest digest;
  for (uint64_t first = 0; first < shape()[0]; first += rows) {
    const uint64_t count = std::min(rows, shape()[0] - first);
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
  // No lock: a file of ours appears whole and is never changed, and some file systems have no
  // locks. The user's HDF5_USE_FILE_LOCKING wins.
  calls_(H5Pset_file_locking(access.id(), false, true), "open the file");
  {
    const FileDescriptor file = FileDescriptor::OpenForReading(path);
    RequireSuperblock(calls_, file);
    file_bytes_ = file.SizeBytes();
  }
  file_ = calls_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "open the file");
  ListObjects();
  std::sort(array_names_.begin(), array_names_.end());
  std::sort(group_names_.begin(), group_names_.end());
}

void H5Reader::ListObjects() {
  std::set<uint64_t> addresses;
  uint64_t claimed_bytes = 0;
  std::vector<std::pair<std::string, int>> rest = {{"/", 0}};  // to look at, with their depth
  while (!rest.empty()) {
    const auto [name, depth] = std::move(rest.back());
    rest.pop_back();
    if (depth > kMostDepth) FailBecause("its groups are nested too deeply");
    const std::string what = "list " + name;
    const H5Handle object = OpenObject(calls_, file_, name);
    ObjectInfo info;
    calls_(H5Oget_info2(object.id(), &info, H5O_INFO_BASIC | H5O_INFO_HDR), what);
    if (!addresses.insert(info.addr).second) FailBecause(name + " has another name, too");
    // Older headers have no checksum.
    if (info.hdr.version != 2) FailBecause(name + " is stored in a form that no file of ours has");
    if (info.type == H5O_TYPE_GROUP) {
      group_names_.push_back(name);
      Names links{.most = kMostObjects - addresses.size() - rest.size()};
      const bool stopped =
          calls_(H5Literate(object.id(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, AddLink, &links),
                 what) > 0;
      if (links.links_to_elsewhere) FailBecause(name + " holds a link to elsewhere");
      if (stopped) FailBecause(name + " holds more or longer names than any file of ours");
      for (const std::string& link : links.names) rest.emplace_back(Child(name, link), depth + 1);
    } else if (info.type == H5O_TYPE_DATASET) {
      array_names_.push_back(name);
      // No single one is larger than the file, so the sum cannot wrap before it is seen.
      claimed_bytes += H5ArrayLayout(calls_, object, name, file_bytes_).bytes;
      if (claimed_bytes > file_bytes_) FailBecause("its arrays claim more bytes than it has");
    } else {
      FailBecause(name + " is neither a group nor an array");
    }
  }
}

H5Array H5Reader::OpenArray(const std::string& name) const {
  const std::string what = "open " + name;
  const H5Handle access = calls_(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, what);
  // Readers take whole chunks and keep what they need, so a cache of chunks would be a second copy.
  calls_(H5Pset_chunk_cache(access.id(), 0, 0, H5D_CHUNK_CACHE_W0_DEFAULT), what);
  return H5Array(&calls_, name,
                 calls_(H5Dopen2(file_.id(), name.c_str(), access.id()), H5Dclose, what),
                 file_bytes_);
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
  if (!std::binary_search(group_names_.begin(), group_names_.end(), group)) return {};
  const H5Handle object = OpenObject(calls_, file_, group);
  for (const std::string& name : AttributeNames(calls_, object, group)) {
    values[name] = Attribute(calls_, object, group, name).Integer();
  }
  return values;
}

std::map<std::string, double> H5Reader::ReadReals(const std::string& group) const {
  std::map<std::string, double> values;
  if (!std::binary_search(group_names_.begin(), group_names_.end(), group)) return {};
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
