#ifndef LOCKSTEP_IO_TEXT_VOCABULARY_BUILDER_H_
#define LOCKSTEP_IO_TEXT_VOCABULARY_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/text/subwords.h"
#include "io/text/text_segmenter.h"
#include "io/text/token_counter.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// Words of more bytes of UTF-8 than this are never in a vocabulary; they become the unknown token.
/// So a vocabulary's memory is bounded by its limit.
inline constexpr size_t kLongestWordBytes = 256;

/// Counts the tokens of a text and makes the vocabulary of the most frequent ones. Counts words for
/// subwords, too; all different ones are in memory when merges are learnt.
class VocabularyBuilder : public TokenSink {
 public:
  /// `folder` and `memory_bytes` as for TokenCounter; used for words only. `line_end`: the token
  /// that a line feed gives where tokens are separated by white space; empty: none.
  VocabularyBuilder(TokenKind kind, std::filesystem::path folder, size_t memory_bytes,
                    std::string line_end = "\n");

  void TakeUnits(std::span<const uint32_t> units) override;
  void TakeWords(std::span<const std::string_view> words) override;

  /// From here on only the next `tokens` are for training: what follows them is not counted, and
  /// matters only where it has a character or byte that the rest lacks. By default all are.
  void CountNext(uint64_t tokens) { to_count_ = tokens; }

  /// For words, those of subwords among them: what stands for each token from here on is appended
  /// to `codes`, which must outlive the builder.
  void RecordTo(std::vector<TokenCode>* codes) { codes_ = codes; }
  /// The texts that have codes there, in the order of these; for as long as nothing is added.
  std::vector<std::string_view> Coded() { return word_counts_->Coded(); }
  /// Counts once more what a builder of the same kind and line end recorded: `counts` by its codes,
  /// or one of a token without.
  void AddCoded(std::span<const std::string_view> coded, std::span<const uint64_t> counts);
  void AddText(std::string_view token) { word_counts_->Add(token); }

  /// Adds what `other`, of the same kind and line end, has counted, and empties it.
  void Add(VocabularyBuilder* other);

  /// Characters and bytes, too, have an unknown token.
  void KeepUnknown() { keep_unknown_ = true; }
  /// Tokens (for subwords: pieces) that occur less often are none of the vocabulary's. Implies
  /// KeepUnknown.
  void DropBelow(uint64_t least_count) {
    least_count_ = least_count;
    keep_unknown_ = true;
  }

  /// All tokens so far (for subwords: words), not only the different ones.
  uint64_t tokens() const { return tokens_; }

  /// For kSubword, before Build: at most so many merges, learnt from the words that were counted.
  std::shared_ptr<const Subwords> LearnSubwords(uint64_t most_merges);

  /// The tokens by count, the most frequent first; among equals, by the bytes of their UTF-8. With
  /// `limit` (0: none) at most so many, the unknown token and the line end among them. The unknown
  /// token has id 0; characters and bytes have it only where the limit cuts off something or where
  /// what was not counted has others. A token "<unk>" between white space is the unknown token. The
  /// line end is always there, if one was named. Requires limit != 1. Forgets the counts.
  ///
  /// `subwords` (for kSubword only): the merges. The tokens are the pieces of the words that were
  /// counted, and behind them, with a count of 0, those that their merges pass through
  /// (Subwords::Stages).
  Vocabulary Build(uint64_t limit, const std::string& normalization, bool lowercase,
                   std::shared_ptr<const Subwords> subwords = nullptr);

 private:
  /// Counts units below 256, for which there is room.
  void CountFew(std::span<const uint32_t> units);
  /// Makes room to count units below `units`.
  void GrowTo(size_t units);
  /// Calls `visit` for each different token, in the order of its bytes.
  void Drain(const std::function<void(TokenCount)>& visit);

  /// Whether what was not counted has a character or byte that the rest lacks.
  bool MissesUnits() const;
  /// The id of the line end, which takes the place of the last token where it is not among them and
  /// the limit is reached.
  std::optional<uint32_t> PlaceLineEnd(uint64_t limit, std::vector<std::string>* tokens) const;
  void DrainPieces(const Subwords& subwords, const std::function<void(TokenCount)>& visit);
  /// From the counter, once; sorted by their bytes.
  const std::vector<CountedWord>& Words();

  TokenKind kind_;
  std::string line_end_;
  uint64_t tokens_ = 0;
  uint64_t to_count_ = std::numeric_limits<uint64_t>::max();
  bool keep_unknown_ = false;
  uint64_t least_count_ = 0;
  // By code point or byte, as far as they were seen; whether they were seen where nothing is
  // counted.
  std::vector<uint64_t> unit_counts_;
  std::vector<bool> unit_elsewhere_;
  std::unique_ptr<TokenCounter> word_counts_;
  uint64_t line_ends_ = 0;  // of subwords, once their words are taken from the counter
  std::vector<CountedWord> words_;
  std::vector<std::string_view> taken_;  // during TakeWords
  std::vector<TokenCode>* codes_ = nullptr;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_VOCABULARY_BUILDER_H_
