#include "trainer/tasks/text_metrics/characters.h"

#include <algorithm>
#include <iterator>

namespace lockstep::trainer {
namespace {

constexpr char32_t kNotUtf8 = 0x110000;  // plus the byte

struct Character {
  char32_t code = 0;
  size_t bytes = 1;
};

// The Unicode Standard, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
Character First(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  const Character wrong = {kNotUtf8 + lead, 1};
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return wrong;
  char32_t code = lead & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return wrong;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const bool too_long = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  if (too_long || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return wrong;
  return {code, bytes};
}

}  // namespace

std::u32string CodePoints(std::string_view utf8) {
  std::u32string codes;
  codes.reserve(utf8.size());
  while (!utf8.empty()) {
    const Character c = First(utf8);
    codes.push_back(c.code);
    utf8.remove_prefix(c.bytes);
  }
  return codes;
}

// Bidirectional class WS, B or S, or category Zs (Unicode 15).
bool IsWhiteSpace(char32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  constexpr char32_t kOthers[] = {0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  return (c >= 0x2000 && c <= 0x200A) ||
         std::find(std::begin(kOthers), std::end(kOthers), c) != std::end(kOthers);
}

std::vector<std::string_view> SplitAtWhiteSpace(std::string_view utf8) {
  std::vector<std::string_view> pieces;
  size_t begin = 0, at = 0;
  while (at < utf8.size()) {
    const Character c = First(utf8.substr(at));
    if (IsWhiteSpace(c.code)) {
      if (at > begin) pieces.push_back(utf8.substr(begin, at - begin));
      begin = at + c.bytes;
    }
    at += c.bytes;
  }
  if (at > begin) pieces.push_back(utf8.substr(begin));
  return pieces;
}

}  // namespace lockstep::trainer
