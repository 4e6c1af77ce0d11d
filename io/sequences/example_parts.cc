#include "io/sequences/example_parts.h"

#include <utility>

#include "io/datasets/dataset.h"

namespace lockstep::io {
namespace {

/// SplitMix64 (Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators").
class SplitMix {
 public:
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Below `limit`, which is far below 2^64: the bias of the remainder is nothing.
  uint64_t Below(uint64_t limit) { return Next() % limit; }

 private:
  uint64_t state_ = 0;
};

}  // namespace

std::vector<int8_t> DrawParts(std::span<const double> shares, uint64_t count, bool shuffle) {
  std::vector<int8_t> parts;
  parts.reserve(count);
  int8_t part = 0;
  for (const uint64_t end : SplitEnds(shares, count)) {
    parts.resize(end, part);
    ++part;
  }
  if (!shuffle) return parts;
  SplitMix random;
  for (uint64_t i = count; i > 1; --i) std::swap(parts[i - 1], parts[random.Below(i)]);
  return parts;
}

}  // namespace lockstep::io
