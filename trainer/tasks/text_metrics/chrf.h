#ifndef LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CHRF_H_
#define LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CHRF_H_

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace lockstep::trainer {

/// Corpus chrF2 (Popovic 2015) of one reference for each text, as sacrebleu 2 computes it by
/// default: n-grams of 1 to 6 characters without white space, no words, recall twice as important
/// as precision, means over the orders that both sides have. Sums that ranks can add.
class ChrF {
 public:
  void Add(std::string_view text, std::string_view truth);

  static constexpr int kOrders = 6;
  static constexpr size_t kSize = 3 * kOrders;
  /// For each order: n-grams of texts whose truth has any, of truths, and matches.
  std::span<const double> sums() const { return sums_; }
  static double Finish(std::span<const double> sums);  ///< 0 to 100

  /// As Bleu::Signature.
  static std::string Signature();

 private:
  std::array<double, kSize> sums_ = {};
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CHRF_H_
