#ifndef LOCKSTEP_WORKER_LOSSES_CLASS_SAMPLE_H_
#define LOCKSTEP_WORKER_LOSSES_CLASS_SAMPLE_H_

#include <cstdint>
#include <vector>

namespace lockstep::worker {

/// Some of V classes that are numbered from the most frequent one on, drawn for a sampled softmax
/// (Jean et al. 2015, "On using very large target vocabulary"): one after another with p(c) =
/// log((c + 2) / (c + 1)) / log(V + 1), which falls as the frequencies of words do, until there are
/// so many different ones, as TensorFlow's log_uniform_candidate_sampler(unique=True) does it. A
/// function of its arguments alone, so that all ranks draw the same.
class ClassSample {
 public:
  /// `size` of `classes`; all where it is not less. `batch` names the sample.
  ClassSample(int64_t classes, int64_t size, uint64_t seed, uint64_t batch);

  /// In rising order.
  const std::vector<int32_t>& classes() const { return drawn_; }

  /// Its place among these, -1: it is none of them.
  int64_t Find(int32_t c) const;

  /// The logarithm of the probability that so many draws meet class c, which its logit is lowered
  /// by; 0 where all are drawn.
  double LogExpected(int32_t c) const;

 private:
  double Probability(int64_t c) const;

  const int64_t all_;
  const double log_range_;
  int64_t draws_ = 0;  // 0: all classes
  std::vector<int32_t> drawn_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_CLASS_SAMPLE_H_
