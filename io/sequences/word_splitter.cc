#include "io/sequences/word_splitter.h"

namespace lockstep::io {

WordSplitter::WordSplitter(const std::string& normalization, bool lowercase)
    : decoder_("utf-8", true), segmenter_(TokenKind::kWhitespace, normalization, lowercase, this) {}

const std::vector<std::string>& WordSplitter::Split(std::string_view line) {
  words_.clear();
  units_.clear();
  decoder_.Decode(line, true, &units_);
  segmenter_.Feed(units_);
  segmenter_.Finish();
  return words_;
}

void WordSplitter::TakeUnits(std::span<const uint32_t> /*units*/) {}

void WordSplitter::TakeWords(std::span<const std::string_view> words) {
  words_.insert(words_.end(), words.begin(), words.end());
}

}  // namespace lockstep::io
