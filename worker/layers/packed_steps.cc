#include "worker/layers/packed_steps.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace lockstep::worker {

PackedSteps PackedSteps::Uniform(int64_t time_steps, int64_t items) {
  PackedSteps steps;
  steps.time_steps_ = time_steps;
  steps.items_ = items;
  steps.rows_ = time_steps * items;
  return steps;
}

PackedSteps PackedSteps::OfLengths(std::span<const int64_t> lengths) {
  if (lengths.empty()) return Uniform(0, 0);
  if (lengths.back() < 1 || !std::ranges::is_sorted(lengths, std::greater<>())) {
    throw std::invalid_argument("lengths of items must be at least 1 and never rise");
  }
  PackedSteps steps = Uniform(lengths.front(), static_cast<int64_t>(lengths.size()));
  if (lengths.front() == lengths.back()) return steps;
  steps.lengths_.assign(lengths.begin(), lengths.end());
  steps.first_.reserve(steps.time_steps_ + 1);
  steps.first_.push_back(0);
  int64_t items = steps.items_;
  for (int64_t t = 0; t < steps.time_steps_; ++t) {
    while (lengths[items - 1] <= t) --items;
    steps.first_.push_back(steps.first_.back() + items);
  }
  steps.rows_ = steps.first_.back();
  return steps;
}

int64_t PackedSteps::time_step_of(int64_t row) const {
  if (first_.empty()) return row / items_;
  return std::ranges::upper_bound(first_, row) - first_.begin() - 1;
}

}  // namespace lockstep::worker
