#include "worker/losses/crf.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/losses/crf_kernels.h"
#include "worker/products/column_sum.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

// A sum of K products drops those that are too small to be normal. Beside its norm that must be
// below 1e-7 even of a tag that the scores of one transition, which lie `apart`, win back later.
// Above 71 no norm is enough.
double LeastNorm(int64_t tags, double apart) {
  return 1e7 * std::numeric_limits<float>::min() * static_cast<double>(tags) * std::exp(apart);
}

// The score of each item's own path.
std::vector<double> ScoresOfPaths(const PackedSteps& steps, int64_t K, const CrfScores& scores,
                                  const int32_t* tags, const float* emissions) {
  std::vector<double> sums(steps.items());
#pragma omp parallel for schedule(static)
  for (int64_t item = 0; item < steps.items(); ++item) {
    double sum = scores.start[tags[item]] + static_cast<double>(emissions[item * K + tags[item]]);
    int32_t previous = tags[item];
    for (int64_t t = 1; t < steps.length(item); ++t) {
      const int64_t row = steps.first_row(t) + item;
      const int32_t tag = tags[row];
      sum += static_cast<double>(scores.transitions[previous * K + tag]) +
             static_cast<double>(emissions[row * K + tag]);
      previous = tag;
    }
    sums[item] = sum + scores.end[previous];
  }
  return sums;
}

// exp(x - max x) of a row, zeros behind it.
float FactorsOfRow(int64_t size, int64_t stride, const float* x, float* out) {
  const float maximum = *std::max_element(x, x + size);
  CrfFactors(size, maximum, x, out);
  std::fill(out + size, out + stride, 0.0f);
  return maximum;
}

}  // namespace

double Crf::Prepare(const CrfScores& scores) {
  const int64_t K = tags_, S = stride();
  float* factors = factors_.Require((2 * K + 2) * S);
  float* transposed = factors + K * S;
  const float* A = scores.transitions;
  const auto [least, most] = std::minmax_element(A, A + K * K);
  for (int64_t i = 0; i < K; ++i) {
    CrfFactors(K, *most, A + i * K, factors + i * S);
    std::fill(factors + i * S + K, factors + (i + 1) * S, 0.0f);
  }
  std::fill(transposed, transposed + K * S, 0.0f);
  for (int64_t i = 0; i < K; ++i) {
    for (int64_t j = 0; j < K; ++j) transposed[j * S + i] = factors[i * S + j];
  }
  shift_ = *most;
  edge_shift_ = static_cast<double>(FactorsOfRow(K, S, scores.start, factors + 2 * K * S)) +
                FactorsOfRow(K, S, scores.end, factors + (2 * K + 1) * S);
  double apart = static_cast<double>(*most) - *least;
  for (const float* edge : {scores.start, scores.end}) {
    const auto [low, high] = std::minmax_element(edge, edge + K);
    apart = std::max(apart, static_cast<double>(*high) - *low);
  }
  return apart;
}

void Crf::Pass(const PackedSteps& steps, const CrfScores& scores, const float* emissions,
               float* marginals) {
  const int64_t K = tags_, S = stride(), B = steps.items();
  log_z_.resize(B);
  const double apart = Prepare(scores);
  const float* factors = factors_.data();
  CrfPass pass;
  pass.steps = &steps;
  pass.tags = K;
  pass.stride = S;
  pass.emissions = emissions;
  pass.transitions = factors;
  pass.transposed = factors + K * S;
  pass.start = factors + 2 * K * S;
  pass.end = factors + (2 * K + 1) * S;
  pass.before = before_.Require(steps.rows() * S);
  pass.last = last_.Require(B * S);
  pass.weights = weights_.Require(steps.rows() * S);
  pass.marginals = marginals;
  pass.scratch = scratch_.Require(B * S);
  pass.log_z = log_z_.data();
  pass.least_norm = least_norm_.Require(B);
#pragma omp parallel for schedule(dynamic)
  for (int64_t first = 0; first < B; first += kCrfBlock) CrfForward(pass, first);
  const float least = *std::min_element(pass.least_norm, pass.least_norm + B);
  in_logarithms_ = least < LeastNorm(K, apart);
  if (in_logarithms_) return PassInLogarithms(steps, scores, emissions, marginals);
#pragma omp parallel for schedule(dynamic)
  for (int64_t first = 0; first < (marginals ? B : 0); first += kCrfBlock) CrfBackward(pass, first);
  for (int64_t item = 0; item < B; ++item) {
    log_z_[item] += edge_shift_ + static_cast<double>(steps.length(item) - 1) * shift_;
  }
}

void Crf::ExpectedTransitions(const PackedSteps& steps) {
  if (in_logarithms_) return;
  // sum over t of a_t-1[i] P[i, j] q_t[j]; rows of the first time step have nothing before them.
  const int64_t K = tags_, S = stride(), B = steps.items(), rows = steps.rows() - B;
  expected_.assign(K * K, 0.0);
  if (rows == 0) return;
  float* product = product_.Require(K * K);
  // The counts of the tags that are there are taken off: what is rounded would not vanish.
  const PrecisionScope exact(Precision::kFloat32);
  MatMul(K, K, rows, {before_.data() + B * S, S, true}, {weights_.data() + B * S, S}, product, K);
  for (int64_t i = 0; i < K; ++i) {
    for (int64_t j = 0; j < K; ++j) {
      expected_[i * K + j] = static_cast<double>(product[i * K + j]) * factors_.data()[i * S + j];
    }
  }
}

double Crf::SumOfLosses(const PackedSteps& steps, const std::vector<double>& gold) const {
  double sum = 0.0;
  for (int64_t item = 0; item < steps.items(); ++item) sum += log_z_[item] - gold[item];
  return sum;
}

double Crf::Loss(const PackedSteps& steps, const CrfScores& scores, const int32_t* tags,
                 const float* emissions) {
  const auto gold = ScoresOfPaths(steps, tags_, scores, tags, emissions);
  Pass(steps, scores, emissions, nullptr);
  return SumOfLosses(steps, gold);
}

double Crf::LossAndGradient(const PackedSteps& steps, const CrfScores& scores, const int32_t* tags,
                            float* emissions, const CrfGradient& gradient) {
  const int64_t K = tags_, B = steps.items();
  const auto gold = ScoresOfPaths(steps, K, scores, tags, emissions);
  Pass(steps, scores, emissions, emissions);
  ExpectedTransitions(steps);
  for (int64_t row = 0; row < steps.rows(); ++row) emissions[row * K + tags[row]] -= 1.0f;
  AddColumnSums(B, K, emissions, K, gradient.start);
  for (int64_t item = 0; item < B; ++item) {
    const float* last = emissions + steps.last_row(item) * K;
    for (int64_t j = 0; j < K; ++j) gradient.end[j] += last[j];
  }
  // Counts of the paths themselves.
  for (int64_t t = 1; t < steps.time_steps(); ++t) {
    const int32_t* from = tags + steps.first_row(t - 1);
    const int32_t* to = tags + steps.first_row(t);
    for (int64_t item = 0; item < steps.items_at(t); ++item) {
      expected_[from[item] * K + to[item]] -= 1.0;
    }
  }
  for (int64_t i = 0; i < K * K; ++i) gradient.transitions[i] += static_cast<float>(expected_[i]);
  return SumOfLosses(steps, gold);
}

void Crf::Marginals(const PackedSteps& steps, const CrfScores& scores, float* emissions) {
  Pass(steps, scores, emissions, emissions);
}

}  // namespace lockstep::worker
