#include "trainer/data/packed_sequences.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace lockstep::trainer {

worker::PackedSteps StepsOf(const Sequences& sequences) {
  std::vector<int64_t> lengths;
  lengths.reserve(sequences.size());
  for (const auto& sequence : sequences) lengths.push_back(std::ssize(sequence));
  return worker::PackedSteps::OfLengths(lengths);
}

std::vector<int32_t> Pack(const worker::PackedSteps& steps, const Sequences& sequences) {
  std::vector<int32_t> rows;
  rows.reserve(steps.rows());
  for (int64_t t = 0; t < steps.time_steps(); ++t) {
    for (int64_t item = 0; item < steps.items_at(t); ++item) rows.push_back(sequences[item][t]);
  }
  return rows;
}

std::vector<int64_t> LongestFirst(std::span<const uint32_t> lengths) {
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](int64_t i) { return lengths[i]; });
  return order;
}

}  // namespace lockstep::trainer
