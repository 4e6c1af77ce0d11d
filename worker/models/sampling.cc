#include "worker/models/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "worker/philox.h"

namespace lockstep::worker {
namespace {

// Ids from the likeliest down, at most k of them (0: all).
std::vector<int32_t> Likeliest(std::span<const float> logits, const SamplingOptions& options) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  if (options.excluded && ids.size() > 1) ids.erase(ids.begin() + *options.excluded);
  const auto likelier = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  if (options.top_k > 0 && options.top_k < static_cast<int64_t>(ids.size())) {
    std::partial_sort(ids.begin(), ids.begin() + options.top_k, ids.end(), likelier);
    ids.resize(options.top_k);
  } else {
    std::sort(ids.begin(), ids.end(), likelier);
  }
  return ids;
}

}  // namespace

int32_t SampleToken(std::span<const float> logits, const SamplingOptions& options, uint64_t index) {
  if (std::ranges::any_of(logits, [](float x) { return std::isnan(x); })) {
    throw std::domain_error("the model's logits are not numbers: its training has diverged");
  }
  const std::vector<int32_t> ids = Likeliest(logits, options);
  if (options.temperature <= 0.0) return ids.front();
  std::vector<double> cumulative(ids.size());
  double sum = 0.0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const double difference = static_cast<double>(logits[ids[i]]) - logits[ids.front()];
    sum += std::exp(difference / options.temperature);
    cumulative[i] = sum;
  }
  const PhiloxCounter words =
      Philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0,
              static_cast<uint32_t>(RandomPurpose::kSampling) << 28},
             SeedKey(options.seed));
  const double point = UniformDouble(words[0], words[1]) * sum;
  const auto place = std::upper_bound(cumulative.begin(), cumulative.end(), point);
  return ids[std::min<size_t>(place - cumulative.begin(), ids.size() - 1)];
}

}  // namespace lockstep::worker
