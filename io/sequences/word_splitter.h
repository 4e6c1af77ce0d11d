#ifndef LOCKSTEP_IO_SEQUENCES_WORD_SPLITTER_H_
#define LOCKSTEP_IO_SEQUENCES_WORD_SPLITTER_H_

#include <string>
#include <string_view>
#include <vector>

#include "io/text/text_decoder.h"
#include "io/text/text_segmenter.h"

namespace lockstep::io {

/// Takes texts to their tokens of TokenKind::kWhitespace, as an import and a prediction do.
class WordSplitter : private TokenSink {
 public:
  WordSplitter(const std::string& normalization, bool lowercase);

  /// The words of a line of UTF-8; valid until the next call.
  const std::vector<std::string>& Split(std::string_view line);

 private:
  void TakeUnits(std::span<const uint32_t> units) override;
  void TakeWords(std::span<const std::string_view> words) override;

  TextDecoder decoder_;
  TextSegmenter segmenter_;
  std::u16string units_;
  std::vector<std::string> words_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_WORD_SPLITTER_H_
