// Forward-backward over logarithms in double: right for scores of any size, at K^2 exponentials a
// row.

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/losses/crf.h"

namespace lockstep::worker {
namespace {

// log sum_j exp(x[j]).
double LogSum(const std::vector<double>& x) {
  const double maximum = *std::max_element(x.begin(), x.end());
  if (maximum == -std::numeric_limits<double>::infinity()) return maximum;
  double sum = 0.0;
  for (const double value : x) sum += std::exp(value - maximum);
  return maximum + std::log(sum);
}

// Of one item: `forward` [t, j] all paths up to row t that end in j, its own emission included;
// `backward` what lies behind. Returns log Z.
double PassOfItem(const PackedSteps& steps, int64_t item, int64_t K, const CrfScores& scores,
                  const float* emissions, double* forward, double* backward) {
  std::vector<double> terms(K);
  const int64_t n = steps.length(item);
  const float* A = scores.transitions;
  for (int64_t t = 0; t < n; ++t) {
    const int64_t row = steps.first_row(t) + item;
    const double* previous = t > 0 ? forward + (steps.first_row(t - 1) + item) * K : nullptr;
    for (int64_t j = 0; j < K; ++j) {
      for (int64_t i = 0; previous && i < K; ++i) terms[i] = previous[i] + A[i * K + j];
      forward[row * K + j] = emissions[row * K + j] + (previous ? LogSum(terms) : scores.start[j]);
    }
  }
  for (int64_t t = n - 1; t >= 0; --t) {
    const int64_t row = steps.first_row(t) + item;
    const int64_t next = t + 1 < n ? steps.first_row(t + 1) + item : -1;
    for (int64_t i = 0; i < K; ++i) {
      for (int64_t j = 0; next >= 0 && j < K; ++j) {
        terms[j] =
            A[i * K + j] + static_cast<double>(emissions[next * K + j]) + backward[next * K + j];
      }
      backward[row * K + i] = next >= 0 ? LogSum(terms) : scores.end[i];
    }
  }
  const double* last = forward + steps.last_row(item) * K;
  for (int64_t j = 0; j < K; ++j) terms[j] = last[j] + scores.end[j];
  return LogSum(terms);
}

}  // namespace

void Crf::PassInLogarithms(const PackedSteps& steps, const CrfScores& scores,
                           const float* emissions, float* marginals) {
  const int64_t K = tags_, B = steps.items(), R = steps.rows();
  forward_.resize(R * K);
  backward_.resize(R * K);
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < B; ++item) {
    log_z_[item] = PassOfItem(steps, item, K, scores, emissions, forward_.data(), backward_.data());
  }
  if (!marginals) return;
  expected_.assign(K * K, 0.0);
  // Each thread has tags of its own and goes over the rows in their order.
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < K; ++i) {
    for (int64_t t = 1; t < steps.time_steps(); ++t) {
      for (int64_t item = 0; item < steps.items_at(t); ++item) {
        const double from = forward_[(steps.first_row(t - 1) + item) * K + i] - log_z_[item];
        const int64_t row = steps.first_row(t) + item;
        for (int64_t j = 0; j < K; ++j) {
          expected_[i * K + j] += std::exp(from + scores.transitions[i * K + j] +
                                           emissions[row * K + j] + backward_[row * K + j]);
        }
      }
    }
  }
  for (int64_t t = 0; t < steps.time_steps(); ++t) {
    for (int64_t item = 0; item < steps.items_at(t); ++item) {
      const int64_t row = steps.first_row(t) + item;
      for (int64_t j = 0; j < K; ++j) {
        marginals[row * K + j] = static_cast<float>(
            std::exp(forward_[row * K + j] + backward_[row * K + j] - log_z_[item]));
      }
    }
  }
}

}  // namespace lockstep::worker
