#include "io/hdf5/h5_foreign.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

constexpr size_t kMostNames = 10'000;
constexpr size_t kMostShown = 20;
constexpr size_t kMostStringBytes = size_t{16} << 20;

herr_t AddName(hid_t group, const char* name, const H5L_info_t* info, void* out) {
  auto& names = *static_cast<std::vector<std::string>*>(out);
  if (info->type == H5L_TYPE_HARD) names.emplace_back(name);
  return names.size() < kMostNames ? 0 : 1;
}

using Shape = std::vector<hsize_t>;

// The lengths of an array whose elements are of one of these kinds, with one dimension up to
// `most`.
std::optional<Shape> ShapeOf(const H5Handle& array, std::initializer_list<H5T_class_t> kinds,
                             int most) {
  const H5Handle type(H5Dget_type(array.id()), H5Tclose);
  const H5Handle space(H5Dget_space(array.id()), H5Sclose);
  const H5T_class_t kind = H5Tget_class(type.id());
  const int rank = H5Sget_simple_extent_ndims(space.id());
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) return std::nullopt;
  if (rank < 1 || rank > most) return std::nullopt;
  Shape shape(static_cast<size_t>(rank));
  if (H5Sget_simple_extent_dims(space.id(), shape.data(), nullptr) < 0) return std::nullopt;
  return shape;
}

std::optional<Shape> NumericShape(const H5Handle& array) {
  return ShapeOf(array, {H5T_INTEGER, H5T_FLOAT}, 2);
}

std::optional<Shape> StringShape(const H5Handle& array) { return ShapeOf(array, {H5T_STRING}, 1); }

using ShapeIf = std::optional<Shape> (*)(const H5Handle& array);

std::vector<std::string> ArraysOfKind(const H5Handle& file, ShapeIf shape) {
  std::vector<std::string> names, arrays;
  H5Lvisit(file.id(), H5_INDEX_NAME, H5_ITER_NATIVE, AddName, &names);
  for (std::string& name : names) {
    const H5Handle array(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
    if (array.id() >= 0 && shape(array)) arrays.push_back(std::move(name));
  }
  H5Eclear2(H5E_DEFAULT);
  std::sort(arrays.begin(), arrays.end());
  return arrays;
}

H5Handle OpenFile(const H5Calls& calls, const std::filesystem::path& path) {
  const H5Handle access = calls(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "open the file");
  calls(H5Pset_file_locking(access.id(), false, true), "open the file");
  return calls(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "open the file");
}

// What an array must be, and how it is named.
struct Wish {
  ShapeIf shape;
  const char* kind;
  const std::string& option;
};

// Opens the array; where `name` is empty, sets it to that of the only one there is.
std::pair<H5Handle, Shape> OpenArray(const H5Handle& file, const std::filesystem::path& path,
                                     const Wish& wish, std::string* name) {
  std::vector<std::string> arrays = ArraysOfKind(file, wish.shape);
  if (name->empty() && arrays.size() == 1) *name = arrays[0];
  H5Handle array;
  if (!name->empty()) {
    array = H5Handle(H5Dopen2(file.id(), name->c_str(), H5P_DEFAULT), H5Dclose);
  }
  const auto shape = array.id() >= 0 ? wish.shape(array) : std::nullopt;
  H5Eclear2(H5E_DEFAULT);
  if (!shape) {
    const size_t count = arrays.size();
    if (count > kMostShown) arrays.resize(kMostShown);
    throw InputError(
        fmt::format("{}: {}, expected {} with one of its {} arrays of {}: {}.", path.string(),
                    name->empty() ? "no array is named" : "found no such array '" + *name + "'",
                    wish.option, count, wish.kind, fmt::join(arrays, ", ")));
  }
  return {std::move(array), *shape};
}

}  // namespace

bool IsHdf5(const std::filesystem::path& path) {
  H5Calls::PrepareThread();
  const bool is = H5Fis_hdf5(path.c_str()) > 0;
  H5Eclear2(H5E_DEFAULT);
  return is;
}

ForeignArray::ForeignArray(const std::filesystem::path& path, const std::string& name,
                           const std::string& option)
    : calls_(path, H5Calls::Purpose::kRead), file_(OpenFile(calls_, path)), name_(name) {
  Shape shape;
  std::tie(array_, shape) =
      OpenArray(file_, path, {NumericShape, "numbers in one or two dimensions", option}, &name_);
  rows_ = shape[0];
  has_columns_ = shape.size() == 2;
  if (has_columns_) columns_ = shape[1];
}

void ForeignArray::Read(uint64_t first, uint64_t count, double* out) const {
  if (count == 0 || columns_ == 0) return;
  H5Calls::PrepareThread();
  const std::string what = "read " + name_;
  const hsize_t start[] = {first, 0};
  const hsize_t length[] = {count, columns_};
  const H5Handle space = calls_(H5Dget_space(array_.id()), H5Sclose, what);
  const H5Handle memory =
      calls_(H5Screate_simple(has_columns_ ? 2 : 1, length, nullptr), H5Sclose, what);
  calls_(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start, nullptr, length, nullptr), what);
  calls_(H5Dread(array_.id(), H5T_NATIVE_DOUBLE, memory.id(), space.id(), H5P_DEFAULT, out), what);
}

ForeignStrings::ForeignStrings(const std::filesystem::path& path, const std::string& name,
                               const std::string& option)
    : calls_(path, H5Calls::Purpose::kRead), file_(OpenFile(calls_, path)), name_(name) {
  Shape shape;
  std::tie(array_, shape) =
      OpenArray(file_, path, {StringShape, "strings in one dimension", option}, &name_);
  type_ = calls_(H5Dget_type(array_.id()), H5Tclose, "read " + name_);
  size_ = shape[0];
}

void ForeignStrings::Read(uint64_t first, uint64_t count, std::vector<std::string>* out) const {
  out->clear();
  if (count == 0) return;
  H5Calls::PrepareThread();
  const std::string what = "read " + name_;
  const hsize_t start = first;
  const hsize_t length = count;
  const H5Handle space = calls_(H5Dget_space(array_.id()), H5Sclose, what);
  const H5Handle memory = calls_(H5Screate_simple(1, &length, nullptr), H5Sclose, what);
  calls_(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, &start, nullptr, &length, nullptr), what);
  if (H5Tis_variable_str(type_.id()) > 0) {
    ReadVariable(memory, space, count, out);
  } else {
    ReadFixed(memory, space, count, out);
  }
}

void ForeignStrings::ReadVariable(const H5Handle& memory, const H5Handle& space, uint64_t count,
                                  std::vector<std::string>* out) const {
  std::vector<char*> strings(count, nullptr);
  calls_(H5Dread(array_.id(), type_.id(), memory.id(), space.id(), H5P_DEFAULT, strings.data()),
         "read " + name_);
  for (const char* string : strings) out->emplace_back(string == nullptr ? "" : string);
  calls_(H5Dvlen_reclaim(type_.id(), memory.id(), H5P_DEFAULT, strings.data()), "read " + name_);
}

void ForeignStrings::ReadFixed(const H5Handle& memory, const H5Handle& space, uint64_t count,
                               std::vector<std::string>* out) const {
  const size_t width = H5Tget_size(type_.id());
  if (width > kMostStringBytes) calls_.FailBecause(name_ + " has strings of more than 16 MB");
  const bool padded = H5Tget_strpad(type_.id()) == H5T_STR_SPACEPAD;
  std::vector<char> bytes(count * width);
  calls_(H5Dread(array_.id(), type_.id(), memory.id(), space.id(), H5P_DEFAULT, bytes.data()),
         "read " + name_);
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view string(bytes.data() + i * width, width);
    string = string.substr(0, string.find('\0'));
    if (padded) string = string.substr(0, string.find_last_not_of(' ') + 1);
    out->emplace_back(string);
  }
}

}  // namespace lockstep::io
