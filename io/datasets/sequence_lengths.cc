#include "io/datasets/sequence_lengths.h"

#include <cstddef>
#include <numeric>
#include <utility>

namespace lockstep::io {
namespace {

constexpr uint64_t kStride = 64;

}  // namespace

SequenceLengths::SequenceLengths(std::vector<uint32_t> lengths) : lengths_(std::move(lengths)) {
  begins_.reserve(lengths_.size() / kStride + 1);
  for (uint64_t i = 0; i < lengths_.size(); ++i) {
    if (i % kStride == 0) begins_.push_back(total_);
    total_ += lengths_[i];
  }
}

uint64_t SequenceLengths::Begin(uint64_t sequence) const {
  const auto first = lengths_.begin() + static_cast<ptrdiff_t>(sequence / kStride * kStride);
  const auto last = lengths_.begin() + static_cast<ptrdiff_t>(sequence);
  return std::accumulate(first, last, begins_[sequence / kStride]);
}

}  // namespace lockstep::io
