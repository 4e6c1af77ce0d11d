#include "io/text/token_texts.h"

#include <cstdint>
#include <span>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/text/subwords.h"
#include "io/text/text_decoder.h"
#include "io/text/text_segmenter.h"
#include "io/text/token_ids.h"

namespace lockstep::io {
namespace {

class Texts : public TokenSink {
 public:
  explicit Texts(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  void TakeUnits(std::span<const uint32_t> units) override {
    for (const uint32_t unit : units) texts.push_back(UnitText(vocabulary_.kind(), unit));
  }
  void TakeWords(std::span<const std::string_view> words) override {
    for (const std::string_view word : words) TakeWord(word);
  }

  std::vector<std::string> texts;

 private:
  void TakeWord(std::string_view word) {
    const bool separated = SeparatedByWhiteSpace(vocabulary_.kind());
    if (word == "\n" && separated && !vocabulary_.line_end()) return;
    if (word == "\n" || !vocabulary_.subwords()) {
      texts.emplace_back(word);
      return;
    }
    for (std::string& piece : vocabulary_.subwords()->Segment(word)) {
      // The last piece is what it is, whatever it ends in.
      texts.push_back(std::move(piece));
      if (Subwords::Continues(texts.back()))
        texts.back().resize(texts.back().size() - Subwords::kContinues.size());
    }
  }

  const Vocabulary& vocabulary_;
};

}  // namespace

std::vector<std::string> TokenTexts(const Vocabulary& vocabulary, std::string_view utf8) {
  Texts sink(vocabulary);
  TextSegmenter segmenter(vocabulary.kind(), vocabulary.normalization(), vocabulary.lowercase(),
                          &sink);
  const bool as_it_stands = vocabulary.normalization() == "none" && !vocabulary.lowercase();
  if (vocabulary.kind() == TokenKind::kByte && as_it_stands) {
    segmenter.FeedBytes(utf8);
  } else {
    std::u16string text;
    TextDecoder decoder("utf-8", false);
    if (const auto invalid = decoder.Decode(utf8, true, &text)) {
      throw InputError(fmt::format("the text is not UTF-8 at byte {}", invalid->offset));
    }
    segmenter.Feed(text);
  }
  segmenter.Finish();
  return std::move(sink.texts);
}

}  // namespace lockstep::io
