#include "worker/models/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "worker/losses/softmax_cross_entropy.h"
#include "worker/parallel_for.h"
#include "worker/philox.h"

namespace lockstep::worker {
namespace {

// The ids that may be drawn, rising.
std::vector<int32_t> Candidates(std::span<const float> logits, const SamplingOptions& options) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  if (options.excluded && ids.size() > 1) ids.erase(ids.begin() + *options.excluded);
  if (options.top_k > 0 && options.top_k < std::ssize(ids)) {
    const auto end = ids.begin() + options.top_k;
    std::nth_element(ids.begin(), end, ids.end(), [&](int32_t a, int32_t b) {
      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    });
    ids.erase(end, ids.end());
    std::sort(ids.begin(), ids.end());
  }
  return ids;
}

double Uniform(const SamplingOptions& options, uint32_t text, uint64_t index) {
  const PhiloxCounter words =
      Philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), text,
              static_cast<uint32_t>(RandomPurpose::kSampling) << 28},
             SeedKey(options.seed));
  return UniformDouble(words[0], words[1]);
}

int32_t SampleToken(std::span<const float> logits, const SamplingOptions& options, uint32_t text,
                    uint64_t index) {
  const std::vector<int32_t> ids = Candidates(logits, options);
  std::vector<float> x(ids.size());
  std::ranges::transform(ids, x.begin(), [&](int32_t id) { return logits[id]; });
  return ids[options.temperature > 0.0
                 ? DrawFromSoftmax(x, options.temperature, Uniform(options, text, index))
                 : std::ranges::max_element(x) - x.begin()];
}

}  // namespace

std::vector<int32_t> SampleTokens(int64_t texts, std::span<const float> logits,
                                  const SamplingOptions& options, uint64_t index) {
  if (std::ranges::any_of(logits, [](float x) { return std::isnan(x); })) {
    throw std::domain_error("the model's logits are not numbers: its training has diverged");
  }
  const size_t classes = logits.size() / texts;
  std::vector<int32_t> tokens(texts);
  ParallelFor(texts, [&](int64_t i) {
    tokens[i] = SampleToken(logits.subspan(i * classes, classes), options,
                            options.text + static_cast<uint32_t>(i), index);
  });
  return tokens;
}

int32_t DrawFromSoftmax(std::span<const float> x, double temperature, double uniform) {
  const double largest = *std::ranges::max_element(x);
  // The differences are taken before the division: what is far below the largest has no weight,
  // however small the temperature.
  std::vector<float> weights(x.size());
  std::ranges::transform(x, weights.begin(), [&](float value) {
    return static_cast<float>((value - largest) / temperature);
  });
  Softmax(1, std::ssize(weights), weights.data());
  const double point = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  double below = 0.0;
  int32_t last = 0;  // that has any weight: rounding may leave the point behind it
  for (int32_t i = 0; i < std::ssize(weights); ++i) {
    below += weights[i];
    if (weights[i] > 0.0f) last = i;
    if (below > point) break;
  }
  return last;
}

}  // namespace lockstep::worker
