#include "io/text/text_segmenter.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

/// Behind these a word boundary follows whatever comes next, unless it attaches itself to what is
/// before it. White space and marks that no rule of UAX #29 mentions.
constexpr std::u16string_view kEndsWord = u"\n\t !?()[]{}<>/=+-*|\u3000\u3001\u3002\uFF01\uFF1F";

bool WordBoundaryBefore(std::u16string_view text, size_t at) {
  if (kEndsWord.find(text[at - 1]) == std::u16string_view::npos) return false;
  if (text[at - 1] == u'\n') return true;
  UChar32 c = 0;
  U16_GET(text.data(), 0, at, text.size(), c);
  switch (u_getIntPropertyValue(c, UCHAR_WORD_BREAK)) {
    case U_WB_EXTEND:
    case U_WB_FORMAT:
    case U_WB_ZWJ:
    case U_WB_WSEGSPACE:
      return false;
    default:
      return true;
  }
}

/// Whether a unit is white space between tokens of a kind that is separated by it.
bool Separates(TokenKind kind, char16_t unit) {
  if (unit == u' ' || unit == u'\n' || unit == u'\r') return true;
  // No white space is beyond the first plane, so a unit tells.
  return kind == TokenKind::kWhitespace && (unit < u' ' || unit > 0x7F) && u_isUWhiteSpace(unit);
}

bool IsWhiteSpace(std::u16string_view segment) {
  if (segment[0] > u' ' && segment[0] < 0x80) return false;  // nearly always
  for (size_t i = 0; i < segment.size();) {
    UChar32 c = 0;
    U16_NEXT(segment.data(), i, segment.size(), c);
    if (!u_isUWhiteSpace(c)) return false;
  }
  return true;
}

uint32_t ScalarValue(UChar32 c) {
  return U_IS_SURROGATE(c) ? kReplacement : static_cast<uint32_t>(c);
}

// Bytes of which a mask tells something.
constexpr size_t kMaskBytes = 64;

/// A bit for each of these bytes of UTF-8: 0 where no white space begins, for certain. Beyond ASCII
/// that of Unicode begins with one of four bytes (U+0085, U+00A0, U+1680, U+2000 to U+205F,
/// U+3000).
uint64_t PerhapsWhiteSpace(const char* text) {
  constexpr uint64_t kEach = 0x0101010101010101, kHigh = 0x80 * kEach;
  constexpr size_t kWord = sizeof(uint64_t);
  uint64_t places = 0;
  for (size_t i = 0; i < kMaskBytes; i += kWord) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text + i, kWord);
    uint64_t some = 0;
    if ((bytes & kHigh) == 0) {
      // No borrow leaves a byte: the high bit stays where it is above the space.
      some = (((kHigh | bytes) - 0x21 * kEach) & kHigh) ^ kHigh;
      some = some * 0x0002040810204081 >> 56;  // the high bits side by side
    } else {
      for (size_t j = 0; j < kWord; ++j) {
        const auto byte = static_cast<unsigned char>(text[i + j]);
        const bool may = byte <= ' ' || byte == 0xC2 || (byte >= 0xE1 && byte <= 0xE3);
        some |= uint64_t{may} << j;
      }
    }
    places |= some << i;
  }
  return places;
}

/// Calls `take` with each byte of the code point's UTF-8 form.
template <typename Take>
void ForEachByte(uint32_t code_point, Take take) {
  uint8_t bytes[U8_MAX_LENGTH];
  size_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, static_cast<UChar32>(code_point));
  for (size_t i = 0; i < length; ++i) take(bytes[i]);
}

}  // namespace

void TextSegmenter::Close::operator()(UBreakIterator* iterator) const { ubrk_close(iterator); }

TextSegmenter::TextSegmenter(TokenKind kind, const std::string& normalization, bool lowercase,
                             TokenSink* sink, size_t most_units)
    : kind_(kind),
      sink_(sink),
      normalizer_(normalization, lowercase, [this](std::u16string_view text) { Split(text); }),
      pieces_(most_units, SafeToCut(kind), [this](std::u16string_view piece) {
        kind_ == TokenKind::kWord ? SplitWords(piece) : SplitAtWhiteSpace(piece);
      }) {
  if (kind != TokenKind::kWord) return;
  UErrorCode status = U_ZERO_ERROR;
  words_.reset(ubrk_open(UBRK_WORD, "", nullptr, 0, &status));
  if (U_FAILURE(status)) {
    throw SystemError(
        fmt::format("ICU: cannot open the word boundary rules: {}", u_errorName(status)));
  }
}

TextSegmenter::~TextSegmenter() = default;

PieceCutter::SafeBefore TextSegmenter::SafeToCut(TokenKind kind) {
  if (kind == TokenKind::kWord) return WordBoundaryBefore;
  return [kind](std::u16string_view text, size_t at) {
    return !SeparatedByWhiteSpace(kind) || Separates(kind, text[at - 1]);
  };
}

void TextSegmenter::Feed(std::u16string_view text) { normalizer_.Feed(text); }

void TextSegmenter::FeedBytes(std::string_view bytes) {
  constexpr size_t kSome = 16384;  // stay near
  for (size_t at = 0; at < bytes.size(); at += kSome) {
    const std::string_view some = bytes.substr(at, kSome);
    units_.resize(some.size());
    std::transform(some.begin(), some.end(), units_.begin(),
                   [](char byte) { return static_cast<unsigned char>(byte); });
    sink_->TakeUnits(units_);
  }
}

void TextSegmenter::Finish() {
  normalizer_.Finish();
  pieces_.Finish();
  if (lead_surrogate_ != 0) {
    lead_surrogate_ = 0;
    units_.clear();
    TakeCodePoint(kReplacement);
    sink_->TakeUnits(units_);
  }
}

void TextSegmenter::Split(std::u16string_view text) {
  if (kind_ == TokenKind::kWord || SeparatedByWhiteSpace(kind_)) {
    pieces_.Feed(text);
  } else if (!text.empty()) {
    SplitCharacters(text);
  }
}

void TextSegmenter::SplitCharacters(std::u16string_view text) {
  units_.clear();
  size_t i = 0;
  if (lead_surrogate_ != 0) {
    const bool whole = U16_IS_TRAIL(text[0]);
    TakeCodePoint(whole ? static_cast<uint32_t>(U16_GET_SUPPLEMENTARY(lead_surrogate_, text[0]))
                        : kReplacement);
    lead_surrogate_ = 0;
    if (whole) i = 1;
  }
  if (kind_ == TokenKind::kChar) i += TakeUnitsBeforeSurrogates(text.substr(i));
  while (i < text.size()) {
    if (i + 1 == text.size() && U16_IS_LEAD(text[i])) {
      lead_surrogate_ = text[i];
      break;
    }
    UChar32 c = 0;
    U16_NEXT(text.data(), i, text.size(), c);
    TakeCodePoint(ScalarValue(c));
  }
  sink_->TakeUnits(units_);
}

size_t TextSegmenter::TakeUnitsBeforeSurrogates(std::u16string_view text) {
  const size_t begin = units_.size();
  units_.resize(begin + text.size());
  uint32_t* to = units_.data() + begin;
  size_t i = 0;
  for (constexpr size_t kBlock = 16; i + kBlock <= text.size(); i += kBlock) {
    unsigned surrogates = 0;
    for (size_t j = 0; j < kBlock; ++j) {
      surrogates |= U16_IS_SURROGATE(text[i + j]);
      to[i + j] = text[i + j];
    }
    if (surrogates) break;
  }
  for (; i < text.size() && !U16_IS_SURROGATE(text[i]); ++i) to[i] = text[i];
  units_.resize(begin + i);
  return i;
}

void TextSegmenter::TakeCodePoint(uint32_t code_point) {
  if (kind_ == TokenKind::kChar) {
    units_.push_back(code_point);
  } else {
    ForEachByte(code_point, [this](uint8_t byte) { units_.push_back(byte); });
  }
}

void TextSegmenter::SplitWords(std::u16string_view piece) {
  UErrorCode status = U_ZERO_ERROR;
  ubrk_setText(words_.get(), piece.data(), static_cast<int32_t>(piece.size()), &status);
  if (U_FAILURE(status)) {
    throw SystemError(fmt::format("ICU: finding words failed: {}", u_errorName(status)));
  }
  BeginPiece(piece);
  const std::string_view whole = AppendUtf8(piece);
  const bool is_ascii = whole.size() == piece.size();
  if (!is_ascii) utf8_end_ = 0;
  int32_t begin = ubrk_first(words_.get());
  for (int32_t end = ubrk_next(words_.get()); end != UBRK_DONE; end = ubrk_next(words_.get())) {
    const auto first = static_cast<size_t>(begin), count = static_cast<size_t>(end - begin);
    const std::u16string_view segment = piece.substr(first, count);
    begin = end;
    if (segment.back() == u'\n') {  // alone or behind a carriage return
      Put("\n");
    } else if (!IsWhiteSpace(segment)) {
      Put(is_ascii ? whole.substr(first, count) : AppendUtf8(segment));
    }
  }
  HandOver();
}

void TextSegmenter::SplitAtWhiteSpace(std::u16string_view piece) {
  BeginPiece(piece);
  const std::string_view text = AppendUtf8(piece);
  size_t begin = 0;
  for (size_t block = 0; block < text.size(); block += kMaskBytes) {
    const size_t left = text.size() - block;
    uint64_t places = PerhapsWhiteSpace(text.data() + block);
    if (left < kMaskBytes) places &= (uint64_t{1} << left) - 1;
    for (; places != 0; places &= places - 1) {
      const size_t at = block + static_cast<size_t>(std::countr_zero(places));
      const size_t length = SeparatorAt(text, at);
      if (length == 0) continue;
      if (at > begin) Put(text.substr(begin, at - begin));
      if (text[at] == '\n') Put("\n");
      begin = at + length;
    }
  }
  if (begin < text.size()) Put(text.substr(begin));
  HandOver();
}

size_t TextSegmenter::SeparatorAt(std::string_view utf8, size_t at) const {
  const char byte = utf8[at];
  if (byte == ' ' || byte == '\n' || byte == '\r') return 1;
  if (kind_ != TokenKind::kWhitespace) return 0;
  size_t end = at;
  UChar32 c = 0;
  U8_NEXT_UNSAFE(utf8, end, c);
  return u_isUWhiteSpace(c) ? end - at : 0;
}

void TextSegmenter::BeginPiece(std::u16string_view piece) {
  utf8_end_ = 0;
  put_.clear();  // what is left of a piece that its sink refused
  // Whole blocks are read and written.
  const size_t most = 3 * piece.size() + kMaskBytes;
  if (utf8_.size() < most) utf8_.resize(most);
}

std::string_view TextSegmenter::AppendUtf8(std::u16string_view text) {
  constexpr size_t kBlock = 16;
  char* const begin = utf8_.data() + utf8_end_;
  char* to = begin;
  for (size_t i = 0; i < text.size();) {
    if (i + kBlock <= text.size()) {
      unsigned any = 0;
      for (size_t j = 0; j < kBlock; ++j) any |= text[i + j];
      if (any < 0x80) {
        for (size_t j = 0; j < kBlock; ++j) to[j] = static_cast<char>(text[i + j]);
        to += kBlock;
        i += kBlock;
        continue;
      }
    }
    const size_t end = std::min(i + kBlock, text.size());
    while (i < end) {
      UChar32 c = 0;
      U16_NEXT(text.data(), i, text.size(), c);
      if (c < 0x80) {
        *to++ = static_cast<char>(c);
      } else {
        ForEachByte(ScalarValue(c), [&](uint8_t byte) { *to++ = static_cast<char>(byte); });
      }
    }
  }
  utf8_end_ += static_cast<size_t>(to - begin);
  return {begin, to};
}

void TextSegmenter::Put(std::string_view word) {
  constexpr size_t kMost = 256;
  put_.push_back(word);
  if (put_.size() == kMost) HandOver();
}

void TextSegmenter::HandOver() {
  if (!put_.empty()) sink_->TakeWords(put_);
  put_.clear();
}

}  // namespace lockstep::io
