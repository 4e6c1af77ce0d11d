#include "io/text/text_decoder.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

/// Lower-case letters and digits only: what ICU compares when it looks up a name.
std::string Bare(std::string_view name) {
  std::string bare;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      bare += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return bare;
}

/// Levenshtein's distance: insertions, deletions and substitutions that turn one into the other.
size_t EditDistance(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < left.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < right.size(); ++j) {
      const size_t substituted = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// Up to three names that ICU knows and that are spelt almost like `name`, nearest first.
std::vector<std::string> NearNames(const std::string& name) {
  const std::string wanted = Bare(name);
  const size_t most = wanted.size() <= 3 ? 1 : 2;
  std::vector<std::pair<size_t, std::string>> near;
  for (int32_t i = 0; i < ucnv_countAvailable(); ++i) {
    const char* converter = ucnv_getAvailableName(i);
    UErrorCode status = U_ZERO_ERROR;
    const uint16_t aliases = ucnv_countAliases(converter, &status);
    std::pair<size_t, std::string> best = {most + 1, ""};
    for (uint16_t j = 0; U_SUCCESS(status) && j < aliases; ++j) {
      const char* alias = ucnv_getAlias(converter, j, &status);
      if (U_SUCCESS(status)) best = std::min(best, {EditDistance(Bare(alias), wanted), alias});
    }
    if (best.first <= most) near.push_back(best);
  }
  std::sort(near.begin(), near.end());
  if (near.size() > 3) near.resize(3);
  std::vector<std::string> names;
  for (auto& [distance, alias] : near) names.push_back(std::move(alias));
  return names;
}

[[noreturn]] void ThrowUnknownEncoding(const std::string& name) {
  const std::vector<std::string> near = NearNames(name);
  const std::string hint =
      near.empty() ? std::string() : fmt::format(" Did you mean {}?", fmt::join(near, " or "));
  throw InputError(
      fmt::format("unknown encoding \"{}\".{} Known are, for example, utf-8, utf-16, gbk, gb18030, "
                  "big5, shift_jis, latin-1 and windows-1252; `uconv -l` (package icu-devtools) "
                  "lists all.",
                  name, hint));
}

bool IsAscii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

/// Appends the ASCII that text begins with, in blocks; returns how much.
size_t TakeAscii(std::string_view bytes, std::u16string* out) {
  constexpr size_t kBlock = 16;
  constexpr uint64_t kHigh = 0x8080808080808080;
  size_t count = 0;
  for (; count + kBlock <= bytes.size(); count += kBlock) {
    uint64_t words[2];
    std::memcpy(words, bytes.data() + count, kBlock);
    if (((words[0] | words[1]) & kHigh) != 0) break;
  }
  const size_t filled = out->size();
  out->resize(filled + count);
  std::copy_n(bytes.data(), count, out->data() + filled);
  return count;
}

/// A stretch up to a character of ASCII, or all.
size_t StretchForIcu(std::string_view bytes) {
  constexpr size_t kLeast = 64;  // a call costs as much as some tens of bytes
  for (size_t i = kLeast; i < bytes.size(); ++i) {
    if (IsAscii(bytes[i])) return i + 1;
  }
  return bytes.size();
}

void ReplaceInvalid(const void* context, UConverterToUnicodeArgs* arguments, const char*, int32_t,
                    UConverterCallbackReason reason, UErrorCode* status) {
  if (reason > UCNV_IRREGULAR) return;  // reset, close, clone: not about bytes
  *status = U_ZERO_ERROR;
  ++*static_cast<uint64_t*>(const_cast<void*>(context));
  ucnv_cbToUWriteUChars(arguments, u"\uFFFD", 1, 0, status);
}

}  // namespace

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += fmt::format("{}{:02X}", text.empty() ? "" : " ", static_cast<unsigned char>(byte));
  }
  return text;
}

bool SameEncoding(const std::string& left, const std::string& right) {
  return ucnv_compareNames(left.c_str(), right.c_str()) == 0;
}

void TextDecoder::Close::operator()(UConverter* converter) const { ucnv_close(converter); }

TextDecoder::TextDecoder(const std::string& encoding, bool replace_invalid)
    : is_utf8_(SameEncoding(encoding, "utf-8")) {
  UErrorCode status = U_ZERO_ERROR;
  converter_.reset(ucnv_open(encoding.c_str(), &status));
  if (U_FAILURE(status)) ThrowUnknownEncoding(encoding);
  ucnv_setToUCallBack(converter_.get(), replace_invalid ? ReplaceInvalid : UCNV_TO_U_CALLBACK_STOP,
                      &replaced_, nullptr, nullptr, &status);
  if (U_FAILURE(status)) {
    throw SystemError(fmt::format("ICU: converter for {}: {}", encoding, u_errorName(status)));
  }
}

TextDecoder::~TextDecoder() = default;

// Most of most texts is ASCII, which ICU takes byte by byte.
std::optional<InvalidBytes> TextDecoder::Decode(std::string_view bytes, bool last,
                                                std::u16string* out) {
  while (is_utf8_ && !bytes.empty()) {
    if (between_characters_) {
      const size_t count = TakeAscii(bytes, out);
      consumed_ += count;
      bytes.remove_prefix(count);
    }
    const size_t count = StretchForIcu(bytes);
    if (count == bytes.size()) break;
    if (auto invalid = DecodeByIcu(bytes.substr(0, count), false, out)) return invalid;
    between_characters_ = true;
    bytes.remove_prefix(count);
  }
  if (!bytes.empty()) between_characters_ = IsAscii(bytes.back());
  if (last) between_characters_ = true;
  return DecodeByIcu(bytes, last, out);
}

std::optional<InvalidBytes> TextDecoder::DecodeByIcu(std::string_view bytes, bool last,
                                                     std::u16string* out) {
  const char* source = bytes.data();
  const char* const source_end = source + bytes.size();
  UErrorCode status = U_BUFFER_OVERFLOW_ERROR;
  while (status == U_BUFFER_OVERFLOW_ERROR) {
    status = U_ZERO_ERROR;
    const size_t filled = out->size();
    out->resize(filled + static_cast<size_t>(source_end - source) + 64);
    char16_t* target = out->data() + filled;
    ucnv_toUnicode(converter_.get(), &target, out->data() + out->size(), &source, source_end,
                   nullptr, last, &status);
    out->resize(static_cast<size_t>(target - out->data()));
  }
  consumed_ += static_cast<uint64_t>(source - bytes.data());
  if (U_FAILURE(status)) return DescribeInvalid(consumed_, status == U_TRUNCATED_CHAR_FOUND);
  if (last) consumed_ = 0;
  return std::nullopt;
}

InvalidBytes TextDecoder::DescribeInvalid(uint64_t consumed, bool truncated) const {
  char bytes[64];
  int8_t length = sizeof(bytes);
  UErrorCode status = U_ZERO_ERROR;
  ucnv_getInvalidChars(converter_.get(), bytes, &length, &status);
  if (U_FAILURE(status)) length = 0;
  // Bytes behind the wrong ones that ICU has taken already and would give back to the next call.
  status = U_ZERO_ERROR;
  const int32_t pending = std::max(0, ucnv_toUCountPending(converter_.get(), &status));
  const auto behind = static_cast<uint64_t>(pending) + static_cast<uint64_t>(length);
  uint64_t offset = consumed - std::min(consumed, behind);
  // ICU may also have taken one half of the next UTF-16 unit and not count it as pending.
  offset -= offset % static_cast<uint64_t>(ucnv_getMinCharSize(converter_.get()));
  return {offset, std::string(bytes, static_cast<size_t>(length)), truncated};
}

}  // namespace lockstep::io
