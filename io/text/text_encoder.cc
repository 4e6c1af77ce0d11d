#include "io/text/text_encoder.h"

#include <fmt/format.h>
#include <unicode/utf8.h>

#include "io/errors.h"
#include "io/text/text_decoder.h"

namespace lockstep::io {
namespace {

std::u16string DecodeUtf8(std::string_view utf8) {
  std::u16string text;
  TextDecoder decoder("utf-8", false);
  if (const auto invalid = decoder.Decode(utf8, true, &text)) {
    throw InputError(
        fmt::format("the text is not UTF-8 at byte {}: {}", invalid->offset, Hex(invalid->bytes)));
  }
  return text;
}

/// The byte offset of the code point that has `count` of them before it. Requires valid UTF-8.
size_t SkipCodePoints(std::string_view utf8, uint64_t count) {
  size_t offset = 0;
  while (count-- > 0) U8_FWD_1_UNSAFE(utf8, offset);
  return offset;
}

}  // namespace

std::string QuotedToken(TokenKind kind, const std::string& token) {
  if (kind == TokenKind::kByte) return fmt::format("the byte {}", Hex(token));
  return fmt::format("\"{}\" ({})", token, Hex(token));
}

TextEncoder::TextEncoder(const Vocabulary& vocabulary)
    : vocabulary_(vocabulary),
      as_it_stands_(vocabulary.normalization() == "none" && !vocabulary.lowercase()),
      sink_(vocabulary,
            [this](const std::string& token, uint64_t position) { ThrowMissing(token, position); }),
      segmenter_(vocabulary.kind(), vocabulary.normalization(), vocabulary.lowercase(), &sink_) {}

std::vector<uint32_t> TextEncoder::Encode(std::string_view utf8) {
  text_ = utf8;
  tokens_before_ = sink_.tokens();
  if (vocabulary_.kind() == TokenKind::kByte && as_it_stands_) {
    segmenter_.FeedBytes(utf8);
  } else {
    segmenter_.Feed(DecodeUtf8(utf8));
  }
  segmenter_.Finish();
  return sink_.Take();
}

void TextEncoder::ThrowMissing(const std::string& token, uint64_t position) const {
  position -= tokens_before_;
  const TokenKind kind = vocabulary_.kind();
  std::string where =
      fmt::format("token {} of the{} text", position + 1, as_it_stands_ ? "" : " normalised");
  if (as_it_stands_ && kind == TokenKind::kByte) {
    where = fmt::format("byte {} of the text", position);
  } else if (as_it_stands_ && kind == TokenKind::kChar) {
    where = fmt::format("byte {} of the text", SkipCodePoints(text_, position));
  }
  throw InputError(
      fmt::format("{} at {} is not in the vocabulary of {} tokens, which has no unknown token",
                  QuotedToken(kind, token), where, vocabulary_.size()));
}

}  // namespace lockstep::io
