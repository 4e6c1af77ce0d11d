#include "io/hdf5/h5.h"

#include <bit>
#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include "io/errors.h"
#include "io/files/file_descriptor.h"

namespace lockstep::io {
namespace {

static_assert(std::is_same_v<hid_t, int64_t>, "H5Handle holds an hid_t without naming it");
static_assert(std::endian::native == std::endian::little, "digests are of little-endian elements");

struct Cause {
  int error_number = 0;  // the system's, where it reported one
  std::string words;     // HDF5's innermost
};

// HDF5 keeps the system's error only inside its own text: "..., errno = 28, error message = ...".
herr_t FindCause(unsigned depth, const H5E_error2_t* error, void* out) {
  Cause& cause = *static_cast<Cause*>(out);
  const std::string_view text = error->desc != nullptr ? error->desc : "";
  if (depth == 0) cause.words = text;
  constexpr std::string_view kMark = "errno = ";
  const size_t mark = text.find(kMark);
  if (cause.error_number == 0 && mark != std::string_view::npos) {
    const std::string_view number = text.substr(mark + kMark.size());
    std::from_chars(number.data(), number.data() + number.size(), cause.error_number);
  }
  return 0;
}

}  // namespace

uint64_t ElementBytes(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return 1;
    case ElementType::kUint16:
      return 2;
    case ElementType::kUint32:
    case ElementType::kFloat32:
      return 4;
    case ElementType::kUint64:
    case ElementType::kInt64:
    case ElementType::kFloat64:
      return 8;
  }
  return 0;
}

std::string_view ElementName(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kUint16:
      return "uint16";
    case ElementType::kUint32:
      return "uint32";
    case ElementType::kUint64:
      return "uint64";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kFloat64:
      return "float64";
  }
  return "";
}

std::string DescribeArray(ElementType type, const std::vector<uint64_t>& shape,
                          const std::string& digest) {
  return fmt::format("{} [{}] {}", ElementName(type), fmt::join(shape, ", "), digest);
}

std::string DescribeAttribute(int64_t value) { return fmt::format("{}", value); }
std::string DescribeAttribute(double value) {
  return fmt::format("{:016x}", std::bit_cast<uint64_t>(value));
}
std::string DescribeAttribute(const std::string& value) { return fmt::format("'{}'", value); }

H5Handle::H5Handle(H5Handle&& other) noexcept
    : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

H5Handle& H5Handle::operator=(H5Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(close_, other.close_);
  return *this;
}

int H5Handle::Close() {
  if (id_ < 0) return 0;
  H5Calls::PrepareThread();
  return close_(std::exchange(id_, -1));
}

H5Calls::H5Calls(std::filesystem::path name, Purpose purpose)
    : name_(std::move(name)), purpose_(purpose) {
  PrepareThread();
}

void H5Calls::PrepareThread() {
  // A file that cannot be closed for want of room stays in HDF5's tables, half freed, and HDF5's
  // own clean-up at the end of the process crashes over it. All files are closed by then anyway.
  static const bool no_clean_up = H5dont_atexit() >= 0;
  static_cast<void>(no_clean_up);
  thread_local const bool silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  static_cast<void>(silent);
}

void H5Calls::Fail(std::string_view what) const {
  Cause cause;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, FindCause, &cause);
  H5Eclear2(H5E_DEFAULT);
  if (cause.error_number != 0) {
    if (purpose_ == Purpose::kWrite) ThrowWriteFailure(name_, cause.error_number);
    ThrowReadFailure(name_, cause.error_number);
  }
  FailBecause(fmt::format("cannot {} ({})", what, cause.words));
}

void H5Calls::FailBecause(std::string_view what) const {
  if (purpose_ == Purpose::kWrite) {
    throw SystemError(
        fmt::format("cannot write {}: {}. Check the disk and start again; files that "
                    "stood before still stand.",
                    name_.string(), what));
  }
  throw DamagedFileError(fmt::format(
      "{} is damaged: {}. Take an older file or a copy, or make it anew.", name_.string(), what));
}

bool H5IsThreadSafe() {
  hbool_t is_safe = false;
  return H5is_library_threadsafe(&is_safe) >= 0 && is_safe;
}

}  // namespace lockstep::io
