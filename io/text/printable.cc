#include "io/text/printable.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <unicode/utf8.h>

namespace lockstep::io {
namespace {

// With what `replace` makes of each sequence that is not UTF-8.
template <class Replace>
std::string WithReplaced(std::string_view text, const Replace& replace) {
  std::string out;
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t next = 0; next < size;) {
    const int32_t begin = next;
    UChar32 code_point;
    U8_NEXT(text.data(), next, size, code_point);
    const std::string_view sequence = text.substr(begin, next - begin);
    if (code_point >= 0) {
      out += sequence;
    } else {
      out += replace(sequence);
    }
  }
  return out;
}

}  // namespace

std::string Printable(std::string_view text) {
  return WithReplaced(text, [](std::string_view wrong) {
    std::string shown;
    for (const char c : wrong) shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    return shown;
  });
}

std::string Repaired(std::string_view text) {
  return WithReplaced(text, [](std::string_view) { return "\xEF\xBF\xBD"; });
}

bool IsUtf8(std::string_view text) {
  const bool ascii = std::ranges::none_of(text, [](char c) { return (c & 0x80) != 0; });
  if (ascii) return true;
  const auto size = static_cast<int32_t>(text.size());
  UChar32 code_point = 0;
  for (int32_t next = 0; next < size && code_point >= 0;)
    U8_NEXT(text.data(), next, size, code_point);
  return code_point >= 0;
}

}  // namespace lockstep::io
