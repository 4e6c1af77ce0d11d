#include "worker/losses/class_sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "worker/philox.h"

namespace lockstep::worker {

ClassSample::ClassSample(int64_t classes, int64_t size, uint64_t seed, uint64_t batch)
    : all_(classes), log_range_(std::log1p(static_cast<double>(classes))) {
  if (size >= classes) {
    drawn_.resize(static_cast<size_t>(classes));
    std::iota(drawn_.begin(), drawn_.end(), 0);
    return;
  }
  std::vector<bool> met(static_cast<size_t>(classes));
  for (int64_t missing = size; missing > 0; ++draws_) {
    const PhiloxCounter words = Philox(
        {static_cast<uint32_t>(draws_), static_cast<uint32_t>(batch),
         static_cast<uint32_t>(batch >> 32), static_cast<uint32_t>(RandomPurpose::kClassSample)},
        SeedKey(seed));
    // exp(u log(V + 1)) is in [1, V + 1).
    const double at = std::exp(UniformDouble(words[0], words[1]) * log_range_);
    const int64_t c = std::clamp<int64_t>(static_cast<int64_t>(at) - 1, 0, classes - 1);
    if (met[static_cast<size_t>(c)]) continue;
    met[static_cast<size_t>(c)] = true;
    drawn_.push_back(static_cast<int32_t>(c));
    --missing;
  }
  std::ranges::sort(drawn_);
}

int64_t ClassSample::Find(int32_t c) const {
  const auto place = std::ranges::lower_bound(drawn_, c);
  return place != drawn_.end() && *place == c ? place - drawn_.begin() : -1;
}

double ClassSample::Probability(int64_t c) const {
  const auto x = static_cast<double>(c);
  return std::log1p(1.0 / (x + 1.0)) / log_range_;
}

double ClassSample::LogExpected(int32_t c) const {
  if (draws_ == 0) return 0.0;
  return std::log(-std::expm1(static_cast<double>(draws_) * std::log1p(-Probability(c))));
}

}  // namespace lockstep::worker
