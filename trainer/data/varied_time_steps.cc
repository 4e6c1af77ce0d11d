#include "trainer/data/varied_time_steps.h"

#include <algorithm>

#include "trainer/data/items.h"
#include "worker/philox.h"

namespace lockstep::trainer {
namespace {

constexpr int64_t kLeast = 5, kDeviation = 5;
constexpr uint32_t kOneIn = 20;  // batches of half the length

int64_t Draw(int64_t time_steps, uint64_t seed, int64_t index) {
  uint64_t sum = 0;  // of twelve words
  uint32_t half = 0;
  for (uint32_t part = 0; part < 4; ++part) {
    const worker::PhiloxCounter words =
        worker::Philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), part,
                        static_cast<uint32_t>(worker::RandomPurpose::kTimeSteps) << 28},
                       worker::SeedKey(seed));
    if (part == 3) {
      half = words[0];
    } else {
      for (const uint32_t word : words) sum += word;
    }
  }
  // Twelve uniform numbers have the sum 6 and the variance 1 on the average. Divided downwards,
  // plus half a time step: rounded.
  constexpr int64_t kOne = int64_t{1} << 32;
  const int64_t deviate = kDeviation * (static_cast<int64_t>(sum) - 6 * kOne);
  const int64_t base = half < UINT32_MAX / kOneIn ? time_steps / 2 : time_steps;
  return std::max(kLeast, base + ((deviate + kOne / 2) >> 32));
}

}  // namespace

std::vector<int64_t> VariedTimeSteps(int64_t total, int64_t time_steps, uint64_t seed,
                                     int64_t epoch) {
  std::vector<int64_t> drawn;
  for (int64_t rest = total; rest > 0; rest -= drawn.back()) {
    drawn.push_back(std::min(rest, Draw(time_steps, seed, std::ssize(drawn))));
  }
  const ItemOrder order(std::ssize(drawn), seed, epoch);
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < std::ssize(drawn); ++i) lengths.push_back(drawn[order.At(i)]);
  return lengths;
}

}  // namespace lockstep::trainer
