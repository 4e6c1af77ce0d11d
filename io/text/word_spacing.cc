#include "io/text/word_spacing.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace lockstep::io {
namespace {

UChar32 FirstCodePoint(std::string_view text) {
  UChar32 c = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  U8_GET_OR_FFFD(bytes, 0, 0, static_cast<int32_t>(text.size()), c);
  return c;
}

UChar32 LastCodePoint(std::string_view text) {
  auto at = static_cast<int32_t>(text.size());
  UChar32 c = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  U8_PREV_OR_FFFD(bytes, 0, at, c);
  return c;
}

/// Chinese and Japanese letters, punctuation and full-width forms. Not Korean, which is written
/// with spaces.
bool IsIdeographic(UChar32 c) {
  const int32_t width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  if (width != U_EA_WIDE && width != U_EA_FULLWIDTH) return false;
  if (u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE) != U_HST_NOT_APPLICABLE) return false;
  // What is wide besides: emoji.
  return !u_hasBinaryProperty(c, UCHAR_EMOJI_PRESENTATION);
}

/// Letters of the scripts of South-East Asia that have no spaces between words.
bool IsUnspacedLetter(UChar32 c) {
  return u_getIntPropertyValue(c, UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT;
}

bool IsClosing(UChar32 c) {
  switch (c) {
    case '.':
    case ',':
    case ';':
    case ':':
    case '!':
    case '?':
    case '%':
    case 0x2026:  // ellipsis
      return true;
    default:
      return (U_GET_GC_MASK(c) & (U_GC_PE_MASK | U_GC_PF_MASK)) != 0;
  }
}

bool IsOpening(UChar32 c) { return (U_GET_GC_MASK(c) & (U_GC_PS_MASK | U_GC_PI_MASK)) != 0; }

}  // namespace

bool SpaceBetweenWords(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return false;
  const UChar32 before = LastCodePoint(left);
  const UChar32 after = FirstCodePoint(right);
  if (before == '\n' || after == '\n') return false;
  if (IsIdeographic(before) || IsIdeographic(after)) return false;
  if (IsUnspacedLetter(before) && IsUnspacedLetter(after)) return false;
  return !IsOpening(before) && !IsClosing(after);
}

}  // namespace lockstep::io
