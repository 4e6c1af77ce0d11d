#include "io/text/decoded_source.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <unicode/ustring.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 18;
constexpr size_t kMostBytesOfUnit = 3;  // of UTF-8, for one of UTF-16
constexpr char16_t kByteOrderMark = 0xFEFF;
constexpr UChar32 kReplacement = 0xFFFD;

uint64_t LinesIn(std::u16string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), u'\n'));
}

}  // namespace

DecodedSource::DecodedSource(const std::filesystem::path& path, const TextEncoding& encoding,
                             uint64_t* replaced)
    : bytes_(path),
      encoding_(encoding.name),
      decoder_(encoding.name, encoding.replace_invalid),
      replaced_(replaced),
      block_(kBlockBytes) {}

size_t DecodedSource::Read(std::span<char> out) {
  size_t done = 0;
  while (done < out.size()) {
    if (given_ == text_.size() && !Decode()) break;
    const size_t now = std::min(out.size() - done, text_.size() - given_);
    std::copy_n(text_.data() + given_, now, out.data() + done);
    given_ += now;
    done += now;
  }
  return done;
}

bool DecodedSource::Decode() {
  text_.clear();
  given_ = 0;
  if (at_end_) return false;
  const size_t got = bytes_.Read(block_);
  at_end_ = got < block_.size();
  units_.clear();
  const uint64_t replaced_before = decoder_.replaced();
  if (const auto invalid = decoder_.Decode({block_.data(), got}, at_end_, &units_)) {
    Fail(*invalid);
  }
  if (replaced_ != nullptr) *replaced_ += decoder_.replaced() - replaced_before;
  std::u16string_view units = units_;
  if (at_start_ && !units.empty()) {
    at_start_ = false;
    if (units.front() == kByteOrderMark) units.remove_prefix(1);
  }
  lines_ += LinesIn(units);
  text_.resize(units.size() * kMostBytesOfUnit);
  int32_t size = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strToUTF8WithSub(text_.data(), static_cast<int32_t>(text_.size()), &size, units.data(),
                     static_cast<int32_t>(units.size()), kReplacement, nullptr, &status);
  if (U_FAILURE(status)) throw SystemError(fmt::format("ICU: {}", u_errorName(status)));
  text_.resize(static_cast<size_t>(size));
  return true;
}

void DecodedSource::Fail(const InvalidBytes& invalid) const {
  throw InputError(fmt::format(
      "{}, line {}: found {}, which is no {}{}. Name the file's own encoding with --encoding, or "
      "import what is wrong as U+FFFD with --invalid replace.",
      name(), 1 + lines_ + LinesIn(units_), Hex(invalid.bytes), encoding_,
      invalid.truncated ? " (the file ends within a character)" : ""));
}

}  // namespace lockstep::io
