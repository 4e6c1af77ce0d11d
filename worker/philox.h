#ifndef LOCKSTEP_WORKER_PHILOX_H_
#define LOCKSTEP_WORKER_PHILOX_H_

#include <array>
#include <cstdint>

namespace lockstep::worker {

/// Philox4x32-10, a counter-based generator: four random words as a pure function of a counter and
/// a key, so that what is drawn depends on no history and no rank. Source: Salmon et al., "Parallel
/// random numbers: as easy as 1, 2, 3", SC 2011.
constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53;
constexpr uint32_t kPhiloxMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9;
constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85;
constexpr int kPhiloxRounds = 10;

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

constexpr PhiloxCounter Philox(PhiloxCounter x, PhiloxKey key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = uint64_t{kPhiloxMultiplier0} * x[0];
    const uint64_t p1 = uint64_t{kPhiloxMultiplier1} * x[2];
    x = {static_cast<uint32_t>(p1 >> 32) ^ x[1] ^ key[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ x[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += kPhiloxWeyl0;
    key[1] += kPhiloxWeyl1;
  }
  return x;
}

/// What a stream of random numbers is for: streams of different purposes never meet.
enum class RandomPurpose : uint32_t {
  kInitialization = 1,
  kDropout = 2,
  kSampling = 3,
  kForecastPaths = 4,
  kOrder = 5,
  kWeightDrop = 6,
  kScheduledSampling = 8,
  kEmbeddingDropout = 9,
  kTimeSteps = 10,
  kUnknownSingletons = 11,
  kClassSample = 12,
};

constexpr PhiloxKey SeedKey(uint64_t seed) {
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
}

/// A double in [0, 1) with 53 random bits from two words.
constexpr double UniformDouble(uint32_t high, uint32_t low) {
  return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1.0p-53;
}

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PHILOX_H_
