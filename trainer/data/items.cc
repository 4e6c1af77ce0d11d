#include "trainer/data/items.h"

#include <algorithm>
#include <bit>

#include "worker/philox.h"

namespace lockstep::trainer {

ItemOrder::ItemOrder(int64_t count, uint64_t seed, int64_t epoch)
    : count_(count),
      seed_(seed),
      epoch_(epoch),
      half_bits_(std::max(
          1, (static_cast<int>(std::bit_width(static_cast<uint64_t>(count) - 1)) + 1) / 2)) {}

// A permutation of all numbers of 2 * half_bits_ bits: each round changes one half by a function of
// the other.
uint64_t ItemOrder::Encrypt(uint64_t x) const {
  constexpr uint32_t kRounds = 4;  // Luby and Rackoff 1988: enough for a random permutation
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = x >> half_bits_, right = x & mask;
  for (uint32_t round = 0; round < kRounds; ++round) {
    const worker::PhiloxCounter words =
        worker::Philox({static_cast<uint32_t>(right), static_cast<uint32_t>(epoch_),
                        static_cast<uint32_t>(static_cast<uint64_t>(epoch_) >> 32),
                        static_cast<uint32_t>(worker::RandomPurpose::kOrder) << 28 | round},
                       worker::SeedKey(seed_));
    const uint64_t next = left ^ (words[0] & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

// Less than four times the items are walked over, so less than four rounds on the average.
int64_t ItemOrder::At(int64_t place) const {
  auto x = static_cast<uint64_t>(place);
  do {
    x = Encrypt(x);
  } while (x >= static_cast<uint64_t>(count_));
  return static_cast<int64_t>(x);
}

ItemSample::ItemSample(int64_t count, int64_t most)
    : all_(count), taken_(most > 0 ? std::min(most, count) : count) {}

int64_t ItemSample::At(int64_t place) const {
  return static_cast<int64_t>(static_cast<__int128>(place) * all_ / taken_);
}

}  // namespace lockstep::trainer
