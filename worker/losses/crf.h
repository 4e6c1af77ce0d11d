#ifndef LOCKSTEP_WORKER_LOSSES_CRF_H_
#define LOCKSTEP_WORKER_LOSSES_CRF_H_

#include <cstdint>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/packed_steps.h"

namespace lockstep::worker {

/// The learnt scores of a linear-chain CRF over K tags, borrowed.
struct CrfScores {
  const float* transitions = nullptr;  ///< A [K, K], from a tag (row) to the next one (column)
  const float* start = nullptr;        ///< s [K], of the first tag
  const float* end = nullptr;          ///< f [K], of the last tag
};

/// Where gradients of the scores are added to; the same shapes.
struct CrfGradient {
  float* transitions = nullptr;
  float* start = nullptr;
  float* end = nullptr;
};

/// A linear-chain conditional random field (Lafferty et al. 2001) over packed rows. A path y of n
/// tags has the score
///     s[y_1] + sum_t e_t[y_t] + sum_t A[y_t-1, y_t] + f[y_n]
/// and the probability exp(score) / Z, Z the sum over all paths. Emissions e are [R, K], rows as
/// PackedSteps has them; tags [R] are in [0, K).
///
/// Forward-backward (Rabiner 1989) goes over normalised probabilities in float32 with the
/// logarithms of their norms in double: log Z of an item of n rows is right to about n * 1e-6 and
/// marginals to as much, whatever the emissions. Where floats cannot hold what it needs (scores
/// more than 70 apart, or emissions against transitions of some tens), the whole batch goes over
/// logarithms in double, many times slower. An item's figures are the same bits whatever stands
/// beside it, but for that choice, and on any number of threads; the gradient of the transitions is
/// a product over all rows.
class Crf {
 public:
  explicit Crf(int64_t tags) : tags_(tags) {}

  /// The sum over items of -log p(tags), in nats, added in their order in double.
  double Loss(const PackedSteps& steps, const CrfScores& scores, const int32_t* tags,
              const float* emissions);

  /// The same; `emissions` become the gradient of that sum.
  double LossAndGradient(const PackedSteps& steps, const CrfScores& scores, const int32_t* tags,
                         float* emissions, const CrfGradient& gradient);

  /// `emissions` become marginals: each tag's share in the probability of all paths, [R, K].
  void Marginals(const PackedSteps& steps, const CrfScores& scores, float* emissions);

  /// The likeliest path of each item (Viterbi 1967) to tags [R]; of equals the one with the lower
  /// last tags.
  void LikeliestPaths(const PackedSteps& steps, const CrfScores& scores, const float* emissions,
                      int32_t* tags);

  int64_t tags() const { return tags_; }

  /// Floats that LossAndGradient needs for each row, beside the emissions (over logarithms 4 K
  /// more).
  int64_t FloatsOfRow() const { return 2 * stride(); }
  /// And, alone of it all, of the number of items and of tags.
  int64_t FloatsOf(int64_t items) const { return (2 * items + 3 * tags_) * stride(); }

 private:
  /// Leaves log Z of each item in log_z_. With `marginals` [R, K], which may be the emissions,
  /// fills them in, and leaves what TransitionGradient needs.
  void Pass(const PackedSteps& steps, const CrfScores& scores, const float* emissions,
            float* marginals);
  /// The same over logarithms.
  void PassInLogarithms(const PackedSteps& steps, const CrfScores& scores, const float* emissions,
                        float* marginals);
  /// Fills in factors_ and returns how far the scores lie apart.
  double Prepare(const CrfScores& scores);
  /// Leaves the expected number of each transition in expected_ [K, K].
  void ExpectedTransitions(const PackedSteps& steps);
  double SumOfLosses(const PackedSteps& steps, const std::vector<double>& gold) const;

  // Floats from one row to the next, so that rows are full vectors of any width.
  int64_t stride() const { return (tags_ + 15) / 16 * 16; }

  const int64_t tags_;
  // exp(score - the largest of its kind): transitions [K, stride], their transpose, start, end.
  Buffer factors_;
  double shift_ = 0.0, edge_shift_ = 0.0;  // what was taken off a transition; off start and end
  // [R, stride] probabilities of the row before given what lies up to it; and what the row's tags
  // weigh, later times what lies behind.
  Buffer before_, weights_;
  Buffer last_;        // [B, stride] as `before_`, behind the last rows
  Buffer scratch_;     // [B, stride]
  Buffer least_norm_;  // [B]
  Buffer product_;     // [K, K]
  std::vector<double> log_z_;
  std::vector<double> expected_;
  bool in_logarithms_ = false;              // expected_ is there already
  std::vector<double> forward_, backward_;  // [R, K] logarithms
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_CRF_H_
