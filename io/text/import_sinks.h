#ifndef LOCKSTEP_IO_TEXT_IMPORT_SINKS_H_
#define LOCKSTEP_IO_TEXT_IMPORT_SINKS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/text/corpus_reader.h"
#include "io/text/token_ids.h"
#include "io/text/token_record.h"
#include "io/text/vocabulary_builder.h"

namespace lockstep::io {

// What the passes of a text import do with the tokens of parts. Each thread has a sink; what they
// hand on comes in the order of the text.

/// Takes what a part came to.
using TakeUnitCount = std::function<void(const TextPart& part, uint64_t units)>;

/// Measures: how many units (characters, bytes or words; see TokenIds::units) each part has.
class UnitTally : public PartSink {
 public:
  /// `line_ends`: whether a line feed is a word.
  UnitTally(bool line_ends, TakeUnitCount take) : line_ends_(line_ends), take_(std::move(take)) {}

  void Start(const TextPart& part) override;
  void TakeUnits(std::span<const uint32_t> units) override { units_ += units.size(); }
  void TakeWords(std::span<const std::string_view> words) override;
  std::function<void()> Finish() override;

 private:
  bool line_ends_;
  TakeUnitCount take_;
  const TextPart* part_ = nullptr;
  uint64_t units_ = 0;
};

/// Counts: hands tokens to a builder of its own.
class UnitCounter : public PartSink {
 public:
  /// How many units of a part are for training.
  using Training = std::function<uint64_t(const TextPart& part)>;
  /// Takes what a part came to, and what stands for its words where these are recorded.
  using Take =
      std::function<void(const TextPart& part, uint64_t units, std::span<const TokenCode> codes)>;

  /// `records`: for words, those of subwords among them.
  UnitCounter(VocabularyBuilder builder, bool records, Training training, Take take)
      : builder_(std::move(builder)), training_(std::move(training)), take_(std::move(take)) {
    if (records) builder_.RecordTo(&codes_);
  }

  void Start(const TextPart& part) override;
  void TakeUnits(std::span<const uint32_t> units) override { builder_.TakeUnits(units); }
  void TakeWords(std::span<const std::string_view> words) override { builder_.TakeWords(words); }
  std::function<void()> Finish() override;

  VocabularyBuilder* builder() { return &builder_; }

 private:
  VocabularyBuilder builder_;
  Training training_;
  Take take_;
  const TextPart* part_ = nullptr;
  uint64_t units_before_ = 0;
  std::vector<TokenCode> codes_;  // of the part
};

/// The ids of a part.
struct PartIds {
  /// Where a split ends within the part.
  struct End {
    size_t split = 0;
    uint64_t tokens = 0;  ///< of the part before it
  };
  uint64_t units = 0;
  uint64_t unknown = 0;
  std::vector<uint32_t> ids;
  std::vector<End> ends;
};

/// Writes: turns tokens into ids.
class PartEncoder : public PartSink {
 public:
  /// The units before a part.
  using UnitsBefore = std::function<uint64_t(const TextPart& part)>;
  /// A token of a part is not in the vocabulary, which has no unknown token. Must throw.
  using Missing = std::function<void(const TextPart& part, const std::string& token)>;
  using Take = std::function<void(const TextPart& part, const PartIds& ids)>;

  /// `ends_units`: behind how many units of the whole text splits end; may be empty.
  PartEncoder(const Vocabulary& vocabulary, std::span<const uint64_t> ends_units,
              UnitsBefore units_before, Missing missing, Take take);

  void Start(const TextPart& part) override;
  void TakeUnits(std::span<const uint32_t> units) override {
    ids_.Reserve(std::max(part_->raw.size(), part_->text.size()));
    ids_.TakeUnits(units);
  }
  void TakeWords(std::span<const std::string_view> words) override;
  std::function<void()> Finish() override;

 private:
  std::span<const uint64_t> ends_units_;
  UnitsBefore units_before_;
  Take take_;
  const TextPart* part_ = nullptr;
  PartIds now_;
  TokenIds ids_;
  uint64_t units_start_ = 0, tokens_start_ = 0, unknown_start_ = 0;  // of ids_, at the part's start
  uint64_t first_unit_ = 0;                                          // of the part, in the text
  size_t next_end_ = 0;                                              // of ends_units_
};

/// Turns what was recorded into ids, part after part from the first one on.
class RecordEncoder {
 public:
  /// `coded`: the texts that have codes, of each counter. `ends_words`: behind how many words
  /// splits end; may be empty. The vocabulary, which has an unknown token, and the ends must
  /// outlive this.
  RecordEncoder(const Vocabulary& vocabulary, std::span<const std::vector<std::string_view>> coded,
                std::span<const uint64_t> ends_words);

  PartIds Encode(const TokenRecord::Part& part, std::span<const TokenCode> codes);

 private:
  /// Of a token: where its ids are among known_, and how many of them are the unknown one because
  /// nothing else stands for a piece.
  struct Ids {
    uint32_t begin = 0, count = 0, unknown = 0;
  };

  Ids Learn(std::string_view token);
  void NoteEnds(PartIds* now);

  std::span<const uint64_t> ends_words_;
  TokenIds ids_;
  std::vector<std::vector<Ids>> ids_of_code_;  // of each counter
  std::vector<uint32_t> known_;
  uint64_t words_ = 0;   // so far
  size_t next_end_ = 0;  // of ends_words_
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_IMPORT_SINKS_H_
