#include "worker/layers/dropout.h"

#include <algorithm>
#include <cmath>

#include "worker/philox.h"
#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/layers/dropout.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The 64-bit products of all 32-bit lanes with a constant, as high and low halves.
template <class D, class V = hn::Vec<D>>
void Multiply(D d, V x, uint32_t multiplier, V& high, V& low) {
  const hn::RepartitionToWide<D> wide;
  const auto m = hn::Set(d, multiplier);
  const auto even = hn::MulEven(x, m);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, x))), m);
  high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

// One row of units. Block j of Philox words serves the units j, n + j, 2n + j and 3n + j, where n =
// ceil(H / 4): full vectors of counters give full vectors of units, and the assignment does not
// depend on the vector's width.
void DropoutRow(const PhiloxCounter& base, PhiloxKey seed, uint32_t threshold, float scale,
                int64_t units, const float* x, float* out) {
  const hn::ScalableTag<uint32_t> d;
  const hn::RebindToFloat<decltype(d)> df;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  const int64_t blocks = (units + 3) / 4;
  const auto scales = hn::Set(df, scale);
  for (int64_t block = 0; block < blocks; block += width) {
    auto x0 = hn::Iota(d, base[0] + static_cast<uint32_t>(block));
    auto x1 = hn::Set(d, base[1]), x2 = hn::Set(d, base[2]), x3 = hn::Set(d, base[3]);
    PhiloxKey key = seed;
    for (int round = 0; round < kPhiloxRounds; ++round) {
      hn::Vec<decltype(d)> high0, low0, high1, low1;
      Multiply(d, x0, kPhiloxMultiplier0, high0, low0);
      Multiply(d, x2, kPhiloxMultiplier1, high1, low1);
      x0 = hn::Xor(hn::Xor(high1, x1), hn::Set(d, key[0]));
      x1 = low1;
      x2 = hn::Xor(hn::Xor(high0, x3), hn::Set(d, key[1]));
      x3 = low0;
      key[0] += kPhiloxWeyl0;
      key[1] += kPhiloxWeyl1;
    }
    const hn::Vec<decltype(d)> words[4] = {x0, x1, x2, x3};
    for (int quarter = 0; quarter < 4; ++quarter) {
      const int64_t first = quarter * blocks + block;
      const int64_t count = std::min({width, blocks - block, units - first});
      if (count <= 0) continue;
      const auto dropped = hn::Lt(words[quarter], hn::Set(d, threshold));
      const auto factors = hn::IfThenZeroElse(hn::RebindMask(df, dropped), scales);
      if (count == width) {
        hn::StoreU(hn::Mul(hn::LoadU(df, x + first), factors), df, out + first);
      } else {
        HWY_ALIGN float factor[HWY_MAX_BYTES / sizeof(float)];
        hn::Store(factors, df, factor);
        for (int64_t i = 0; i < count; ++i) out[first + i] = x[first + i] * factor[i];
      }
    }
  }
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(DropoutRow);

namespace {

// A time step, and the global number of a lane.
struct Place {
  int64_t time_step, number;
};

int64_t NumberOf(const DropoutSite& site, int64_t lane) {
  return site.lanes ? site.lanes[lane] : site.first_lane + lane;
}

Place PlaceOf(const DropoutSite& site, int64_t time_step, int64_t lane) {
  return {site.locked ? 0 : time_step, NumberOf(site, lane)};
}

// The last word of a counter: all that a batch's place has no word of its own for.
uint32_t LastWord(RandomPurpose of, const DropoutSite& site, uint32_t layer = 0) {
  return static_cast<uint32_t>(of) << 28 | (layer & 0xFFF) << 16 |
         static_cast<uint32_t>(site.batch >> 32 & 0xFFFF);
}

// Words below the threshold drop; a probability that rounds to 1 keeps the one word that is not.
struct Threshold {
  explicit Threshold(double probability)
      : words(static_cast<uint32_t>(std::min(kWords - 1, std::round(probability * kWords)))),
        scale(static_cast<float>(kWords / (kWords - words))) {}
  static constexpr double kWords = 0x1.0p32;
  uint32_t words;
  float scale;
};

// Rows [rows, H]; place_of(row) says whose mask a row has.
template <class PlaceOf>
void DropoutRows(RandomPurpose of, const DropoutSite& site, double probability, int64_t rows,
                 int64_t units, const float* x, float* out, PlaceOf place_of) {
  const Threshold threshold(probability);
  const int64_t blocks = (units + 3) / 4;
  const uint32_t purpose = LastWord(of, site, site.layer);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const Place place = place_of(row);
    const PhiloxCounter base = {static_cast<uint32_t>(place.time_step * blocks),
                                static_cast<uint32_t>(place.number),
                                static_cast<uint32_t>(site.batch), purpose};
    LOCKSTEP_DISPATCH(DropoutRow)
    (base, SeedKey(site.seed), threshold.words, threshold.scale, units, x + row * units,
     out + row * units);
  }
}

}  // namespace

double DrawAt(const DropoutSite& site, RandomPurpose purpose, int64_t t, int64_t item) {
  const PhiloxCounter words =
      Philox({static_cast<uint32_t>(t), static_cast<uint32_t>(NumberOf(site, item)),
              static_cast<uint32_t>(site.batch), LastWord(purpose, site)},
             SeedKey(site.seed));
  return UniformDouble(words[0], words[1]);
}

void Dropout(const DropoutSite& site, double probability, int64_t time_steps, int64_t lanes,
             int64_t units, const float* x, float* out) {
  DropoutRows(RandomPurpose::kDropout, site, probability, time_steps * lanes, units, x, out,
              [&](int64_t row) { return PlaceOf(site, row / lanes, row % lanes); });
}

void Dropout(const DropoutSite& site, double probability, const PackedSteps& steps, int64_t units,
             const float* x, float* out) {
  DropoutRows(RandomPurpose::kDropout, site, probability, steps.rows(), units, x, out,
              [&](int64_t row) {
                const int64_t t = steps.time_step_of(row);
                return PlaceOf(site, t, row - steps.first_row(t));
              });
}

void DropoutOfStep(const DropoutSite& site, double probability, int64_t t, int64_t lanes,
                   int64_t units, const float* x, float* out) {
  DropoutRows(RandomPurpose::kDropout, site, probability, lanes, units, x, out,
              [&](int64_t row) { return PlaceOf(site, t, row); });
}

void DropWeights(const DropoutSite& site, double probability, uint32_t part, int64_t rows,
                 int64_t columns, const float* weights, float* out) {
  DropoutRows(RandomPurpose::kWeightDrop, site, probability, rows, columns, weights, out,
              [part](int64_t row) {
                return Place{row, part};
              });
}

void DropTokens(const DropoutSite& site, double probability, int64_t rows, const int32_t* tokens,
                int64_t units, const float* x, float* out) {
  const Threshold threshold(probability);
  const uint32_t purpose = LastWord(RandomPurpose::kEmbeddingDropout, site);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const PhiloxCounter words =
        Philox({static_cast<uint32_t>(tokens[row]), 0, static_cast<uint32_t>(site.batch), purpose},
               SeedKey(site.seed));
    const float factor = words[0] < threshold.words ? 0.0f : threshold.scale;
    for (int64_t i = row * units; i < (row + 1) * units; ++i) out[i] = x[i] * factor;
  }
}

}  // namespace lockstep::worker
#endif
