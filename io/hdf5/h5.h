#ifndef LOCKSTEP_IO_HDF5_H5_H_
#define LOCKSTEP_IO_HDF5_H5_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lockstep::io {

/// What the elements of an array are on disk; little-endian.
enum class ElementType { kUint8, kUint16, kUint32, kUint64, kInt64, kFloat32, kFloat64 };

uint64_t ElementBytes(ElementType type);
std::string_view ElementName(ElementType type);  ///< "uint8", "float32", ...

template <typename Element>
constexpr ElementType ElementTypeOf() {
  if constexpr (std::is_same_v<Element, uint8_t>) return ElementType::kUint8;
  if constexpr (std::is_same_v<Element, uint16_t>) return ElementType::kUint16;
  if constexpr (std::is_same_v<Element, uint32_t>) return ElementType::kUint32;
  if constexpr (std::is_same_v<Element, uint64_t>) return ElementType::kUint64;
  if constexpr (std::is_same_v<Element, int64_t>) return ElementType::kInt64;
  if constexpr (std::is_same_v<Element, float>) return ElementType::kFloat32;
  if constexpr (std::is_same_v<Element, double>) return ElementType::kFloat64;
}

/// The attribute of every array that holds the digest of its elements.
inline constexpr char kDigestAttribute[] = "xxh3_128";
/// The attribute of an array of one element that stands for a scalar.
inline constexpr char kScalarAttribute[] = "scalar";

/// What a file holds, for comparing what was meant with what is read: "/tokens" -> type, shape and
/// digest of the elements; "/vocabulary@kind" -> the attribute's value.
using H5Contents = std::map<std::string, std::string>;
std::string DescribeArray(ElementType type, const std::vector<uint64_t>& shape,
                          const std::string& digest);
std::string DescribeAttribute(int64_t value);
std::string DescribeAttribute(double value);  ///< by its bits: a NaN equals itself
std::string DescribeAttribute(const std::string& value);

/// Whether the HDF5 library lets several threads call it.
bool H5IsThreadSafe();

/// Owner of one HDF5 identifier (an hid_t).
class H5Handle {
 public:
  using CloseFunction = int (*)(int64_t);

  H5Handle() = default;
  H5Handle(int64_t id, CloseFunction close) : id_(id), close_(close) {}
  H5Handle(H5Handle&& other) noexcept;
  H5Handle& operator=(H5Handle&& other) noexcept;
  ~H5Handle() { Close(); }

  int64_t id() const { return id_; }
  /// Negative when HDF5 reports an error; nothing is owned afterwards either way.
  int Close();

 private:
  int64_t id_ = -1;
  CloseFunction close_ = nullptr;
};

/// Turns a failed HDF5 call on one file into an exception that names the file.
class H5Calls {
 public:
  enum class Purpose { kRead, kWrite };

  /// Errors speak of the file as `name`. Prepares HDF5 for the calling thread: it prints nothing.
  H5Calls(std::filesystem::path name, Purpose purpose);

  /// Again for another thread than the constructor's, before its first call.
  static void PrepareThread();

  /// `result` of a call that meant to do `what` ("write /tokens"). When it is negative: SystemError
  /// when writing or when the system reported an error, else DamagedFileError.
  template <typename Result>
  Result operator()(Result result, std::string_view what) const {
    if (result < 0) Fail(what);
    return result;
  }
  H5Handle operator()(int64_t id, H5Handle::CloseFunction close, std::string_view what) const {
    return H5Handle(operator()(id, what), close);
  }

  /// The same for what HDF5 does not see.
  [[noreturn]] void FailBecause(std::string_view what) const;

 private:
  [[noreturn]] void Fail(std::string_view what) const;

  std::filesystem::path name_;
  Purpose purpose_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_HDF5_H5_H_
