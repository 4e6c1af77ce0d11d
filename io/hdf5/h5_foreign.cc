#include "io/hdf5/h5_foreign.h"

#include <algorithm>
#include <optional>
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

herr_t AddName(hid_t group, const char* name, const H5L_info_t* info, void* out) {
  auto& names = *static_cast<std::vector<std::string>*>(out);
  if (info->type == H5L_TYPE_HARD) names.emplace_back(name);
  return names.size() < kMostNames ? 0 : 1;
}

// The lengths, when it is an array of numbers of one dimension or two.
std::optional<std::vector<hsize_t>> Shape(const H5Handle& array) {
  const H5Handle type(H5Dget_type(array.id()), H5Tclose);
  const H5Handle space(H5Dget_space(array.id()), H5Sclose);
  const H5T_class_t kind = H5Tget_class(type.id());
  const int rank = H5Sget_simple_extent_ndims(space.id());
  if ((kind != H5T_INTEGER && kind != H5T_FLOAT) || rank < 1 || rank > 2) return std::nullopt;
  std::vector<hsize_t> shape(static_cast<size_t>(rank));
  if (H5Sget_simple_extent_dims(space.id(), shape.data(), nullptr) < 0) return std::nullopt;
  return shape;
}

std::vector<std::string> NumericArrays(const H5Handle& file) {
  std::vector<std::string> names, arrays;
  H5Lvisit(file.id(), H5_INDEX_NAME, H5_ITER_NATIVE, AddName, &names);
  for (std::string& name : names) {
    const H5Handle array(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
    if (array.id() >= 0 && Shape(array)) arrays.push_back(std::move(name));
  }
  H5Eclear2(H5E_DEFAULT);
  std::sort(arrays.begin(), arrays.end());
  return arrays;
}

}  // namespace

bool IsHdf5(const std::filesystem::path& path) {
  H5Calls::PrepareThread();
  const bool is = H5Fis_hdf5(path.c_str()) > 0;
  H5Eclear2(H5E_DEFAULT);
  return is;
}

ForeignArray::ForeignArray(const std::filesystem::path& path, const std::string& name)
    : calls_(path, H5Calls::Purpose::kRead), name_(name) {
  const H5Handle access = calls_(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "open the file");
  calls_(H5Pset_file_locking(access.id(), false, true), "open the file");
  file_ = calls_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "open the file");
  std::vector<std::string> arrays = NumericArrays(file_);
  if (name_.empty() && arrays.size() == 1) name_ = arrays[0];
  if (!name_.empty()) {
    array_ = H5Handle(H5Dopen2(file_.id(), name_.c_str(), H5P_DEFAULT), H5Dclose);
  }
  const auto shape = array_.id() >= 0 ? Shape(array_) : std::nullopt;
  H5Eclear2(H5E_DEFAULT);
  if (!shape) {
    const size_t count = arrays.size();
    if (count > kMostShown) arrays.resize(kMostShown);
    throw InputError(fmt::format(
        "{}: {}, expected --array with one of its {} arrays of numbers in one or two dimensions: "
        "{}.",
        path.string(), name_.empty() ? "no array is named" : "found no such array '" + name_ + "'",
        count, fmt::join(arrays, ", ")));
  }
  rows_ = (*shape)[0];
  has_columns_ = shape->size() == 2;
  if (has_columns_) columns_ = (*shape)[1];
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

}  // namespace lockstep::io
