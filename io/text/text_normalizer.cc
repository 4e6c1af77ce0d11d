#include "io/text/text_normalizer.h"

#include <utility>

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

void Check(UErrorCode status, const char* what) {
  if (U_FAILURE(status)) {
    throw SystemError(fmt::format("ICU: {} failed: {}", what, u_errorName(status)));
  }
}

const UNormalizer2* Normalizer(const std::string& name) {
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* normalizer = nullptr;
  if (name == "nfc") {
    normalizer = unorm2_getNFCInstance(&status);
  } else if (name == "nfd") {
    normalizer = unorm2_getNFDInstance(&status);
  } else if (name == "nfkc") {
    normalizer = unorm2_getNFKCInstance(&status);
  } else if (name == "nfkd") {
    normalizer = unorm2_getNFKDInstance(&status);
  } else {
    throw InputError(
        fmt::format("unknown normalization \"{}\"; there are none, nfc, nfd, nfkc and nfkd", name));
  }
  Check(status, "loading the normalisation data");
  return normalizer;
}

UChar32 CodePointAt(std::u16string_view text, size_t at) {
  UChar32 c = 0;
  U16_GET(text.data(), 0, at, text.size(), c);
  return c;
}

/// Calls `convert(target, capacity, status)`, as ICU's string functions have it, with room enough.
template <typename Convert>
void ConvertInto(size_t likely_units, std::u16string* target, Convert convert) {
  target->resize(likely_units);
  for (;;) {
    UErrorCode status = U_ZERO_ERROR;
    const int32_t units = convert(target->data(), static_cast<int32_t>(target->size()), &status);
    target->resize(static_cast<size_t>(units));
    if (status == U_BUFFER_OVERFLOW_ERROR) continue;  // the size is now the one it needs
    Check(status, "changing a text");
    return;
  }
}

}  // namespace

TextNormalizer::TextNormalizer(const std::string& normalization, bool lowercase, Take take,
                               size_t most_units)
    : take_(std::move(take)), most_units_(most_units) {
  if (normalization != "none") AddNormalization(normalization);
  if (lowercase) AddLowercase();
  // Lower case may leave what composes: J with a caron has no letter of its own, but j has.
  if (normalization != "none" && lowercase) AddNormalization(normalization);
}

TextNormalizer::~TextNormalizer() = default;

void TextNormalizer::Feed(std::u16string_view text) {
  if (stages_.empty()) {
    take_(text);
  } else {
    stages_.front()->Feed(text);
  }
}

void TextNormalizer::Finish() {
  for (const auto& stage : stages_) stage->Finish();
}

TextNormalizer::Take TextNormalizer::Next() {
  return [this, next = stages_.size() + 1](std::u16string_view text) {
    if (next < stages_.size()) {
      stages_[next]->Feed(text);
    } else {
      take_(text);
    }
  };
}

void TextNormalizer::AddNormalization(const std::string& normalization) {
  const UNormalizer2* normalizer = Normalizer(normalization);
  stages_.push_back(std::make_unique<PieceCutter>(
      most_units_,
      [normalizer](std::u16string_view text, size_t at) {
        return unorm2_hasBoundaryBefore(normalizer, CodePointAt(text, at)) != 0;
      },
      [normalizer, next = Next(), changed = std::u16string()](std::u16string_view piece) mutable {
        ConvertInto(piece.size() + 64, &changed,
                    [&](char16_t* target, int32_t capacity, UErrorCode* status) {
                      return unorm2_normalize(normalizer, piece.data(),
                                              static_cast<int32_t>(piece.size()), target, capacity,
                                              status);
                    });
        next(changed);
      }));
}

void TextNormalizer::AddLowercase() {
  stages_.push_back(std::make_unique<PieceCutter>(
      most_units_,
      [](std::u16string_view text, size_t at) {
        // The final sigma is the only rule with a context; it looks past what is "case-ignorable"
        // and stops at anything else that is not a cased letter (Unicode, 3.13, table 3-17).
        const UChar32 c = CodePointAt(text, at);
        return !u_hasBinaryProperty(c, UCHAR_CASED) &&
               !u_hasBinaryProperty(c, UCHAR_CASE_IGNORABLE);
      },
      [next = Next(), changed = std::u16string()](std::u16string_view piece) mutable {
        ConvertInto(piece.size() + 64, &changed,
                    [&](char16_t* target, int32_t capacity, UErrorCode* status) {
                      return u_strToLower(target, capacity, piece.data(),
                                          static_cast<int32_t>(piece.size()), "", status);
                    });
        next(changed);
      }));
}

}  // namespace lockstep::io
