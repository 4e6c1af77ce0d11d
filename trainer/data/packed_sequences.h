#ifndef LOCKSTEP_TRAINER_DATA_PACKED_SEQUENCES_H_
#define LOCKSTEP_TRAINER_DATA_PACKED_SEQUENCES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "worker/layers/packed_steps.h"

namespace lockstep::trainer {

/// Some sequences from the longest to the shortest, as the worker takes them.
using Sequences = std::vector<std::vector<int32_t>>;

/// The rows of sequences that are sorted so.
worker::PackedSteps StepsOf(const Sequences& sequences);

/// Their elements, in the order of those rows [R].
std::vector<int32_t> Pack(const worker::PackedSteps& steps, const Sequences& sequences);

/// The reverse: what stands in the rows of an item.
template <class T>
std::vector<T> Unpack(const worker::PackedSteps& steps, int64_t item, std::span<const T> rows) {
  std::vector<T> values;
  values.reserve(steps.length(item));
  for (int64_t t = 0; t < steps.length(item); ++t)
    values.push_back(rows[steps.first_row(t) + item]);
  return values;
}

/// The indices of sequences of these lengths from the longest to the shortest; equal ones stay in
/// their order.
std::vector<int64_t> LongestFirst(std::span<const uint32_t> lengths);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_PACKED_SEQUENCES_H_
