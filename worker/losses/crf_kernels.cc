#include "worker/losses/crf_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/losses/crf_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target, once for each target.
#include "worker/losses/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Strides are multiples of 16 floats.
using Tag = hn::CappedTag<float, 16>;

// out[r] = x[r] M for kRows rows `stride` apart and M [tags, stride], kVectors of the columns.
template <int kRows, int kVectors>
void ProductTile(const CrfPass& p, const float* x, const float* m, float* out) {
  const Tag d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<Tag> sums[kRows][kVectors];
  for (auto& row : sums) {
    for (auto& sum : row) sum = hn::Zero(d);
  }
  for (int64_t i = 0; i < p.tags; ++i) {
    hn::Vec<Tag> factors[kVectors];
    for (int v = 0; v < kVectors; ++v) factors[v] = hn::LoadU(d, m + i * p.stride + v * width);
    for (int r = 0; r < kRows; ++r) {
      const auto value = hn::Set(d, x[r * p.stride + i]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(value, factors[v], sums[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sums[r][v], d, out + r * p.stride + v * width);
    }
  }
}

template <int kRows>
void ProductOfRows(const CrfPass& p, const float* x, const float* m, float* out) {
  const int64_t width = static_cast<int64_t>(hn::Lanes(Tag()));
  int64_t column = 0;
  for (; column + 2 * width <= p.stride; column += 2 * width) {
    ProductTile<kRows, 2>(p, x, m + column, out + column);
  }
  for (; column < p.stride; column += width) {
    ProductTile<kRows, 1>(p, x, m + column, out + column);
  }
}

// A row's sums are the same whatever the number of rows.
void Product(const CrfPass& p, int64_t rows, const float* x, const float* m, float* out) {
  static_assert(kCrfBlock == 4);
  switch (rows) {
    case 4:
      return ProductOfRows<4>(p, x, m, out);
    case 3:
      return ProductOfRows<3>(p, x, m, out);
    case 2:
      return ProductOfRows<2>(p, x, m, out);
    case 1:
      return ProductOfRows<1>(p, x, m, out);
  }
}

// out = x y; returns its sum.
float MultiplyAndSum(int64_t size, const float* x, const float* y, float* out) {
  const Tag d;
  auto sums = hn::Zero(d);
  for (int64_t j = 0; j < size; j += static_cast<int64_t>(hn::Lanes(d))) {
    const auto product = hn::Mul(hn::LoadU(d, x + j), hn::LoadU(d, y + j));
    hn::StoreU(product, d, out + j);
    sums = hn::Add(sums, product);
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

void Scale(int64_t size, float factor, const float* x, float* out) {
  const Tag d;
  for (int64_t j = 0; j < size; j += static_cast<int64_t>(hn::Lanes(d))) {
    hn::StoreU(hn::Mul(hn::Set(d, factor), hn::LoadU(d, x + j)), d, out + j);
  }
}

// Of the items from `first` on, how many reach time step t.
int64_t ActiveAt(const CrfPass& p, int64_t first, int64_t t) {
  if (t >= p.steps->time_steps()) return 0;
  return std::clamp<int64_t>(p.steps->items_at(t) - first, 0, kCrfBlock);
}

// Where a_t of an item stands, which goes on to t + 1 or ends there.
float* Probabilities(const CrfPass& p, int64_t item, int64_t t, bool goes_on) {
  return goes_on ? p.before + (p.steps->first_row(t + 1) + item) * p.stride
                 : p.last + item * p.stride;
}

void ForwardBlock(const CrfPass& p, int64_t first) {
  const int64_t K = p.tags, S = p.stride;
  int64_t active = ActiveAt(p, first, 0);
  for (int64_t i = 0; i < active; ++i) {
    p.log_z[first + i] = 0.0;
    p.least_norm[first + i] = std::numeric_limits<float>::max();
  }
  for (int64_t t = 0; active > 0; ++t) {
    const int64_t going_on = ActiveAt(p, first, t + 1), row = p.steps->first_row(t) + first;
    float* sums = p.scratch + first * S;
    if (t > 0) Product(p, active, p.before + row * S, p.transitions, sums);
    for (int64_t i = 0; i < active; ++i) {
      const float* e = p.emissions + (row + i) * K;
      float* w = p.weights + (row + i) * S;
      const float maximum = RowMaximum(K, e);
      Exponentials(K, maximum, e, w);
      std::fill(w + K, w + S, 0.0f);
      float* a = Probabilities(p, first + i, t, i < going_on);
      const float norm = MultiplyAndSum(S, w, t > 0 ? sums + i * S : p.start, a);
      Scale(S, 1.0f / norm, a, a);
      Scale(S, 1.0f / norm, w, w);
      p.log_z[first + i] += std::log(static_cast<double>(norm)) + maximum;
      p.least_norm[first + i] = std::min(p.least_norm[first + i], norm);
      if (i < going_on) continue;
      const float end = MultiplyAndSum(S, a, p.end, sums + i * S);
      p.log_z[first + i] += std::log(static_cast<double>(end));
      p.least_norm[first + i] = std::min(p.least_norm[first + i], end);
    }
    active = going_on;
  }
}

void BackwardBlock(const CrfPass& p, int64_t first) {
  const int64_t K = p.tags, S = p.stride;
  float* b = p.scratch + first * S;
  for (int64_t t = p.steps->length(first) - 1; t >= 0; --t) {
    const int64_t active = ActiveAt(p, first, t), going_on = ActiveAt(p, first, t + 1);
    const int64_t row = p.steps->first_row(t) + first;
    if (going_on > 0) {
      const float* q = p.weights + (p.steps->first_row(t + 1) + first) * S;
      Product(p, going_on, q, p.transposed, b);
    }
    for (int64_t i = 0; i < active; ++i) {
      const float* a = Probabilities(p, first + i, t, i < going_on);
      float* own = b + i * S;
      if (i >= going_on) {
        // The room is used for the products first: only their sum is wanted.
        Scale(S, 1.0f / MultiplyAndSum(S, a, p.end, own), p.end, own);
      }
      float* marginals = p.marginals + (row + i) * K;
      for (int64_t j = 0; j < K; ++j) marginals[j] = a[j] * own[j];
      float* w = p.weights + (row + i) * S;
      MultiplyAndSum(S, w, own, w);
    }
  }
}

// kVectors of the columns, over all tags that a path may come from. Several hide the latency of
// comparing and choosing.
template <int kVectors, class D>
void SearchColumns(D d, int64_t tags, const float* transitions, const float* now, float* next,
                   int32_t* from) {
  const hn::RebindToSigned<D> di;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> most[kVectors];
  hn::Vec<decltype(di)> place[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    most[v] = hn::Add(hn::Set(d, now[0]), hn::LoadU(d, transitions + v * width));
    place[v] = hn::Zero(di);
  }
  for (int64_t i = 1; i < tags; ++i) {
    const auto before = hn::Set(d, now[i]);
    const auto here = hn::Set(di, static_cast<int32_t>(i));
    for (int v = 0; v < kVectors; ++v) {
      const auto score = hn::Add(before, hn::LoadU(d, transitions + i * tags + v * width));
      const auto better = hn::Gt(score, most[v]);
      most[v] = hn::IfThenElse(better, score, most[v]);
      place[v] = hn::IfThenElse(hn::RebindMask(di, better), here, place[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    hn::StoreU(most[v], d, next + v * width);
    hn::StoreU(place[v], di, from + v * width);
  }
}

void SearchStep(int64_t tags, const float* transitions, const float* now, float* next,
                int32_t* from) {
  const Tag full;
  const hn::CappedTag<float, 1> single;
  const int64_t width = static_cast<int64_t>(hn::Lanes(full));
  int64_t j = 0;
  for (; j + 4 * width <= tags; j += 4 * width) {
    SearchColumns<4>(full, tags, transitions + j, now, next + j, from + j);
  }
  for (; j + width <= tags; j += width) {
    SearchColumns<1>(full, tags, transitions + j, now, next + j, from + j);
  }
  for (; j < tags; ++j) SearchColumns<1>(single, tags, transitions + j, now, next + j, from + j);
}

void Factors(int64_t n, float maximum, const float* x, float* out) {
  Exponentials(n, maximum, x, out);
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(ForwardBlock);
HWY_EXPORT(BackwardBlock);
HWY_EXPORT(SearchStep);
HWY_EXPORT(Factors);

void CrfForward(const CrfPass& pass, int64_t first) {
  LOCKSTEP_DISPATCH(ForwardBlock)(pass, first);
}

void CrfBackward(const CrfPass& pass, int64_t first) {
  LOCKSTEP_DISPATCH(BackwardBlock)(pass, first);
}

void CrfSearchStep(int64_t tags, const float* transitions, const float* now, float* next,
                   int32_t* from) {
  LOCKSTEP_DISPATCH(SearchStep)(tags, transitions, now, next, from);
}

void CrfFactors(int64_t n, float maximum, const float* x, float* out) {
  LOCKSTEP_DISPATCH(Factors)(n, maximum, x, out);
}

}  // namespace lockstep::worker
#endif
