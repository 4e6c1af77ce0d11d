#ifndef LOCKSTEP_IO_TEXT_TEXT_SEGMENTER_H_
#define LOCKSTEP_IO_TEXT_TEXT_SEGMENTER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/piece_cutter.h"
#include "io/text/text_normalizer.h"
#include "io/text/vocabulary.h"

struct UBreakIterator;

namespace lockstep::io {

/// Receives the tokens of a text, in order. What a call is given is valid during that call only.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  /// Characters as code points, bytes as their values.
  virtual void TakeUnits(std::span<const uint32_t> units) = 0;
  /// Words, or runs between white space, as UTF-8; "\n" for a line feed.
  virtual void TakeWords(std::span<const std::string_view> words) = 0;
};

/// Splits an endless text into tokens; import and Vocabulary::Encode both do it with this class.
/// The tokens depend on the text alone, not on the parts in which it is fed.
///
/// Characters are code points; nothing is dropped or changed but what normalisation and
/// lower-casing change. Bytes are those of the text as UTF-8, or the ones given to FeedBytes. A
/// lone surrogate, which some encodings can express, becomes U+FFFD.
///
/// Words are the segments between ICU's word boundaries, root locale (UAX #29, and ICU's
/// dictionaries for Chinese, Japanese, Thai, Khmer, Lao and Burmese). Segments of white space alone
/// are dropped, but every line feed is a token "\n" (carriage return and line feed together are
/// one); punctuation makes tokens. ICU sees up to 32,768 UTF-16 units at a time, cut behind a line
/// feed, white space, or one of a few punctuation marks at which no word goes on, so that the cut
/// changes no boundary. Only where 32,768 units have none of these is the text cut blindly.
///
/// Tokens between white space (and the words that subwords are pieces of, which TakeWords gets
/// whole): white space is what Unicode calls so, for subwords the space and the line end alone, as
/// subword-nmt has it. Every line feed is "\n"; a carriage return is white space. A run of more
/// than 32,768 units is cut blindly.
class TextSegmenter {
 public:
  /// What ICU sees at a time.
  static constexpr size_t kMostUnits = 32768;

  /// `sink` must outlive the segmenter. InputError for an unknown `normalization` (see
  /// TextNormalizer). `most_units` is what ICU sees at a time; less than the default serves tests.
  TextSegmenter(TokenKind kind, const std::string& normalization, bool lowercase, TokenSink* sink,
                size_t most_units = kMostUnits);
  ~TextSegmenter();

  /// Where a text can be cut so that both sides have the tokens that they have together.
  static PieceCutter::SafeBefore SafeToCut(TokenKind kind);

  TextSegmenter(const TextSegmenter&) = delete;
  TextSegmenter& operator=(const TextSegmenter&) = delete;

  void Feed(std::u16string_view text);
  /// kByte without normalisation or lower-casing: bytes as they stand.
  void FeedBytes(std::string_view bytes);
  /// The text ends here. Then another one may be fed.
  void Finish();

 private:
  struct Close {
    void operator()(UBreakIterator* iterator) const;
  };

  void Split(std::u16string_view text);
  void SplitCharacters(std::u16string_view text);
  /// The units up to the first surrogate are characters; returns how many there are.
  size_t TakeUnitsBeforeSurrogates(std::u16string_view text);
  void TakeCodePoint(uint32_t code_point);
  void SplitWords(std::u16string_view piece);
  void SplitAtWhiteSpace(std::u16string_view piece);
  /// The bytes of the white space that separates tokens at a place of UTF-8; 0: there is none.
  size_t SeparatorAt(std::string_view utf8, size_t at) const;
  /// Makes room for what AppendUtf8 gives for a piece, whose words point there.
  void BeginPiece(std::u16string_view piece);
  std::string_view AppendUtf8(std::u16string_view text);
  void Put(std::string_view word);
  void HandOver();

  TokenKind kind_;
  TokenSink* sink_;
  TextNormalizer normalizer_;
  PieceCutter pieces_;
  std::unique_ptr<UBreakIterator, Close> words_;
  char16_t lead_surrogate_ =
      0;  // the last unit of the text so far, where the next one may complete it
  std::vector<uint32_t> units_;
  std::string utf8_;  // of a piece so far, and room
  size_t utf8_end_ = 0;
  std::vector<std::string_view> put_;  // not yet handed over
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_SEGMENTER_H_
