// The likeliest path: Viterbi 1967.

#include <algorithm>
#include <vector>

#include "worker/losses/crf.h"

namespace lockstep::worker {
namespace {

// next[j] = max_i(now[i] + A[i, j]) with the i in from[j], the lower one of equals.
void Step(int64_t K, const float* A, const float* now, float* next, int32_t* from) {
  for (int64_t j = 0; j < K; ++j) {
    next[j] = now[0] + A[j];
    from[j] = 0;
  }
  for (int64_t i = 1; i < K; ++i) {
    const float own = now[i];
    const float* row = A + i * K;
    for (int64_t j = 0; j < K; ++j) {
      const float score = own + row[j];
      const bool better = score > next[j];
      next[j] = better ? score : next[j];
      from[j] = better ? static_cast<int32_t>(i) : from[j];
    }
  }
}

}  // namespace

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
        Step(K, scores.transitions, now.data(), next.data(), from.data() + t * K);
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
