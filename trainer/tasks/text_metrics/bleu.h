#ifndef LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_BLEU_H_
#define LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_BLEU_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lockstep::trainer {

struct BleuScore {
  double score = 0.0;                     ///< 0 to 100
  std::array<double, 4> precisions = {};  ///< of 1- to 4-grams, in percent, smoothed
  double brevity_penalty = 0.0;
  int64_t length = 0, truth_length = 0;  ///< words
};

/// Corpus BLEU (Papineni et al. 2002) of one reference for each text, as sacrebleu 2 computes it by
/// default (Post 2018): 13a tokens, the case counts, exponential smoothing of n-gram orders without
/// a match, no effective order. Sums that ranks can add.
class Bleu {
 public:
  void Add(std::string_view text, std::string_view truth);

  static constexpr size_t kSize = 10;
  /// Words of texts and of truths, then for each order matches, then n-grams of texts.
  std::span<const double> sums() const { return sums_; }
  static BleuScore Finish(std::span<const double> sums);

  /// How it was computed, in sacrebleu's terms; the version is Lockstep's.
  static std::string Signature();

 private:
  std::array<double, kSize> sums_ = {};
};

/// The words of mteval-v13a.pl (WMT) with one space between them, as sacrebleu's Tokenizer13a has
/// them of a segment without white space at its end.
std::string Tokens13a(std::string_view text);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_BLEU_H_
