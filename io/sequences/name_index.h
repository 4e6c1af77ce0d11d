#ifndef LOCKSTEP_IO_SEQUENCES_NAME_INDEX_H_
#define LOCKSTEP_IO_SEQUENCES_NAME_INDEX_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep::io {

/// Names, numbered as they appear until all are known.
class NameIndex {
 public:
  /// Of a name that is new, the next number.
  uint32_t NumberOf(std::string_view name);
  size_t size() const { return names_.size(); }
  const std::vector<std::string>& names() const { return names_; }

  /// Names in an order, and which of these each number is.
  struct Sorted {
    std::vector<std::string> names;
    std::vector<uint32_t> place_of_number;
  };
  /// By their bytes.
  Sorted Sort() const;
  /// As given; InputError where there is a name that is none of these: `what` ("tags") is not what
  /// `origin` has.
  Sorted SortAs(const std::vector<std::string>& given, std::string_view what,
                const std::string& origin) const;

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::vector<std::string> names_;
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> numbers_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_NAME_INDEX_H_
