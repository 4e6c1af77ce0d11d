#include "io/text/printable.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <unicode/utf8.h>

namespace lockstep::io {

std::string Printable(std::string_view text) {
  std::string out;
  const int32_t size = static_cast<int32_t>(text.size());
  for (int32_t next = 0; next < size;) {
    const int32_t begin = next;
    UChar32 code_point;
    U8_NEXT(text.data(), next, size, code_point);
    for (int32_t i = begin; i < next; ++i) {
      if (code_point >= 0) {
        out += text[i];
      } else {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
      }
    }
  }
  return out;
}

std::string Repaired(std::string_view text) {
  std::string out;
  const int32_t size = static_cast<int32_t>(text.size());
  for (int32_t next = 0; next < size;) {
    const int32_t begin = next;
    UChar32 code_point;
    U8_NEXT(text.data(), next, size, code_point);
    out += code_point >= 0 ? text.substr(begin, next - begin) : "\xEF\xBF\xBD";
  }
  return out;
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
