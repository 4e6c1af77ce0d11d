#ifndef LOCKSTEP_IO_TEXT_CORPUS_READER_H_
#define LOCKSTEP_IO_TEXT_CORPUS_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

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
  uint64_t block_bytes = 1 << 18;  ///< read at a time
  /// At most so many UTF-16 units in a part: of whole pieces, as TextSegmenter cuts them. Less than
  /// one of these serves tests.
  uint64_t part_units = 2 * TextSegmenter::kMostUnits;
};

/// A stretch of a text at whose ends no token goes on, so that its tokens are those that it has by
/// itself.
struct TextPart {
  uint64_t number = 0;     ///< from 0, through all files
  size_t file = 0;         ///< index of the file
  bool ends_file = false;  ///< the file has no other part behind this one
  uint64_t bytes = 0;      ///< of the file, read since the part before
  uint64_t offset = 0;     ///< of `raw` in the file
  std::string raw;         ///< UTF-8, or bytes that are taken as they stand
  std::u16string text;     ///< of other encodings, normalised
};

/// Takes the tokens of parts, on one thread of several, each of which has its own sink.
class PartSink : public TokenSink {
 public:
  PartSink() = default;
  PartSink(const PartSink&) = delete;
  PartSink& operator=(const PartSink&) = delete;

  /// The tokens of `part` follow. The part stays where it is until what Finish returned has run.
  virtual void Start(const TextPart& part) = 0;
  /// They have come. What is returned is run later, in the order of the parts, never two at a time.
  virtual std::function<void()> Finish() = 0;
};

/// Reads files into tokens on several threads, with bounded memory. UTF-8 is cut where no word goes
/// on (behind a line feed, and between a space and ASCII), and its parts are
/// decoded, normalised and split beside each other. Other encodings are decoded and normalised
/// first, one part after the other, and so is what follows a megabyte without such a place. What
/// comes out depends neither on the threads nor on the blocks.
class CorpusReader {
 public:
  /// The sink of a thread 0..threads-1; asked for once, on that thread.
  using SinkOf = std::function<PartSink&(int thread)>;

  CorpusReader(const CorpusForm& form, int threads) : form_(form), threads_(threads) {}

  /// All files, each a text of its own. `sink_of` and its sinks must outlive the call. InputError:
  /// an unknown encoding or normalisation, a wrong byte (names file and offset), a file that has
  /// changed; what a sink throws is thrown, too. Of several errors it is the same one whatever the
  /// threads: that of the first part, and there a wrong byte before other things.
  void Read(std::span<const TextFile> files, const SinkOf& sink_of);

  /// Wrong byte sequences that became U+FFFD in the last Read.
  uint64_t replaced() const { return replaced_; }

 private:
  CorpusForm form_;
  int threads_;
  uint64_t replaced_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_CORPUS_READER_H_
