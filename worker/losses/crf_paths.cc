// The likeliest path: Viterbi 1967.

#include <algorithm>
#include <vector>

#include "worker/losses/crf.h"
#include "worker/losses/crf_kernels.h"

namespace lockstep::worker {
void Crf::LikeliestPaths(const PackedSteps& steps, const CrfScores& scores, const float* emissions,
                         int32_t* tags) {
  const int64_t K = tags_;
#pragma omp parallel
  {
    std::vector<float> now(K), next(K);
    std::vector<int32_t> from(K * steps.time_steps());
#pragma omp for schedule(dynamic)
    for (int64_t item = 0; item < steps.items(); ++item) {
      const int64_t n = steps.length(item);
      for (int64_t j = 0; j < K; ++j) now[j] = scores.start[j] + emissions[item * K + j];
      for (int64_t t = 1; t < n; ++t) {
        CrfSearchStep(K, scores.transitions, now.data(), next.data(), from.data() + t * K);
        const float* e = emissions + (steps.first_row(t) + item) * K;
        // What all paths have in common is taken off, so that long items lose no digits.
        const float most = *std::max_element(next.begin(), next.end());
        for (int64_t j = 0; j < K; ++j) now[j] = next[j] - most + e[j];
      }
      for (int64_t j = 0; j < K; ++j) now[j] += scores.end[j];
      int64_t tag = std::max_element(now.begin(), now.end()) - now.begin();
      for (int64_t t = n - 1; t >= 0; --t) {
        tags[steps.first_row(t) + item] = static_cast<int32_t>(tag);
        if (t > 0) tag = from[t * K + tag];
      }
    }
  }
}

}  // namespace lockstep::worker
