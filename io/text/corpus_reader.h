#ifndef LOCKSTEP_IO_TEXT_CORPUS_READER_H_
#define LOCKSTEP_IO_TEXT_CORPUS_READER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/text_decoder.h"
#include "io/text/text_files.h"
#include "io/text/text_segmenter.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// How the bytes of text files become tokens.
struct CorpusForm {
  TokenKind tokens = TokenKind::kChar;
  std::string encoding = "utf-8";
  bool replace_invalid = false;
  std::string normalization = "none";
  bool lowercase = false;
  uint64_t block_bytes = 1 << 20;  ///< read at a time
};

/// Reads files through decoder and segmenter into a sink, with bounded memory.
class CorpusReader {
 public:
  /// InputError for an unknown encoding or normalisation. `sink` must outlive the reader.
  CorpusReader(const CorpusForm& form, TokenSink* sink);

  /// One file, a text of its own. Calls `advance` with the bytes of each block behind it.
  /// InputError: a wrong byte (names file and offset), a file that has changed.
  void Read(const TextFile& file, const std::function<void(uint64_t bytes)>& advance);

  /// Wrong byte sequences that became U+FFFD so far.
  uint64_t replaced() const { return decoder_.replaced(); }

 private:
  void FeedText(const TextFile& file, std::string_view bytes, bool at_end, bool* at_start);
  [[noreturn]] void ThrowInvalid(const TextFile& file, const InvalidBytes& invalid) const;

  std::string encoding_;
  bool raw_;
  TextDecoder decoder_;
  TextSegmenter segmenter_;
  std::vector<char> block_;
  std::u16string text_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_CORPUS_READER_H_
