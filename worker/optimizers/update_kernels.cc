#include "worker/optimizers/update_kernels.h"

#include <algorithm>

#include "worker/optimizers/clip.h"
#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/optimizers/update_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "worker/products/vector_loops-inl.h"

// Compiled without contraction (worker/CMakeLists.txt): GCC would make fused multiply-adds of
// intrinsics, too, where the target has them.
HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls body(d, i, weight, gradient) for all elements, the gradient as the update uses it; stores
// what it returns as the weight.
template <class Body>
void ForEachWeight(const UpdateArrays& a, const Body& body) {
  ForEachVector(a.size, [&](auto d, int64_t i) {
    const auto limit = hn::Set(d, a.limit);
    const auto scaled = hn::Mul(hn::LoadU(d, a.gradient + i), hn::Set(d, a.factor));
    const auto clamped = hn::Min(hn::Max(scaled, hn::Neg(limit)), limit);
    // What is no number stays so: on x86 Max would make -limit of it.
    const auto gradient = hn::IfThenElse(hn::IsNaN(scaled), scaled, clamped);
    hn::StoreU(body(d, i, hn::LoadU(d, a.weights + i), gradient), d, a.weights + i);
  });
}

// s a + t b
template <class D, class V = hn::Vec<D>>
V Mix(D d, float s, V a, float t, V b) {
  return hn::Add(hn::Mul(hn::Set(d, s), a), hn::Mul(hn::Set(d, t), b));
}

// a + s b
template <class D, class V = hn::Vec<D>>
V Plus(D d, V a, float s, V b) {
  return hn::Add(a, hn::Mul(hn::Set(d, s), b));
}

// a - s b
template <class D, class V = hn::Vec<D>>
V Minus(D d, V a, float s, V b) {
  return hn::Sub(a, hn::Mul(hn::Set(d, s), b));
}

// x / (sqrt(s) + epsilon)
template <class D, class V = hn::Vec<D>>
V OverRoot(D d, V x, V s, float epsilon) {
  return hn::Div(x, hn::Add(hn::Sqrt(s), hn::Set(d, epsilon)));
}

void AdamPart(const AdamNumbers& n, const UpdateArrays& a) {
  ForEachWeight(a, [&](auto d, int64_t i, auto weight, auto gradient) {
    weight = hn::Mul(weight, hn::Set(d, n.keep));
    gradient = Plus(d, gradient, n.l2, weight);
    const auto m = Mix(d, n.b1, hn::LoadU(d, a.first + i), n.b1_rest, gradient);
    const auto v = Mix(d, n.b2, hn::LoadU(d, a.second + i), n.b2_rest, hn::Mul(gradient, gradient));
    hn::StoreU(m, d, a.first + i);
    hn::StoreU(v, d, a.second + i);
    return Minus(d, weight, n.step, OverRoot(d, m, v, n.epsilon));
  });
}

void SgdPart(const SgdNumbers& n, const UpdateArrays& a) {
  ForEachWeight(a, [&](auto d, int64_t i, auto weight, auto gradient) {
    gradient = Plus(d, gradient, n.l2, weight);
    if (a.first == nullptr) return Minus(d, weight, n.rate, gradient);
    const auto u = Mix(d, n.momentum, hn::LoadU(d, a.first + i), n.share, gradient);
    hn::StoreU(u, d, a.first + i);
    return Minus(d, weight, n.rate, Mix(d, n.own, gradient, n.moved, u));
  });
}

void RmsPropPart(const RmsPropNumbers& n, const UpdateArrays& a) {
  ForEachWeight(a, [&](auto d, int64_t i, auto weight, auto gradient) {
    gradient = Plus(d, gradient, n.l2, weight);
    const auto s = Mix(d, n.alpha, hn::LoadU(d, a.first + i), n.rest, hn::Mul(gradient, gradient));
    hn::StoreU(s, d, a.first + i);
    auto step = OverRoot(d, gradient, s, n.epsilon);
    if (a.second != nullptr) {
      step = Plus(d, step, n.momentum, hn::LoadU(d, a.second + i));
      hn::StoreU(step, d, a.second + i);
    }
    return Minus(d, weight, n.rate, step);
  });
}

void AdagradPart(const AdagradNumbers& n, const UpdateArrays& a) {
  ForEachWeight(a, [&](auto d, int64_t i, auto weight, auto gradient) {
    gradient = Plus(d, gradient, n.l2, weight);
    const auto s = hn::Add(hn::LoadU(d, a.first + i), hn::Mul(gradient, gradient));
    hn::StoreU(s, d, a.first + i);
    return Minus(d, weight, n.rate, OverRoot(d, gradient, s, n.epsilon));
  });
}

// Element i goes to sum i mod 8, however many of them a vector holds. Squares of floats are exact
// in double.
double SquaresPart(int64_t size, const float* x) {
  constexpr int64_t kSums = 8;
  const hn::CappedTag<double, kSums> d;
  const hn::Rebind<float, decltype(d)> narrow;
  constexpr int64_t kWidth = hn::MaxLanes(d);
  double sums[kSums] = {};
  hn::Vec<decltype(d)> vectors[kSums / kWidth];
  for (auto& vector : vectors) vector = hn::Zero(d);
  int64_t i = 0;
  for (; i + kSums <= size; i += kSums) {
    for (int64_t j = 0; j < kSums / kWidth; ++j) {
      const auto value = hn::PromoteTo(d, hn::LoadU(narrow, x + i + j * kWidth));
      vectors[j] = hn::Add(vectors[j], hn::Mul(value, value));
    }
  }
  for (int64_t j = 0; j < kSums / kWidth; ++j) hn::StoreU(vectors[j], d, sums + j * kWidth);
  for (int64_t j = 0; i < size; ++i, ++j) sums[j] += static_cast<double>(x[i]) * x[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(AdamPart);
HWY_EXPORT(SgdPart);
HWY_EXPORT(RmsPropPart);
HWY_EXPORT(AdagradPart);
HWY_EXPORT(SquaresPart);

namespace {

constexpr int64_t kPart = kNormBlock;  // elements that a thread takes at a time

// Calls update(arrays) for parts of the arrays, on all threads.
template <class Update>
void ForEachPart(const UpdateArrays& arrays, const Update& update) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < arrays.size; begin += kPart) {
    UpdateArrays part = arrays;
    part.size = std::min(kPart, arrays.size - begin);
    part.weights += begin;
    part.gradient += begin;
    if (part.first != nullptr) part.first += begin;
    if (part.second != nullptr) part.second += begin;
    update(part);
  }
}

}  // namespace

void UpdateAdam(const AdamNumbers& numbers, const UpdateArrays& arrays) {
  ForEachPart(arrays, [&](const auto& part) { LOCKSTEP_DISPATCH(AdamPart)(numbers, part); });
}

void UpdateSgd(const SgdNumbers& numbers, const UpdateArrays& arrays) {
  ForEachPart(arrays, [&](const auto& part) { LOCKSTEP_DISPATCH(SgdPart)(numbers, part); });
}

void UpdateRmsProp(const RmsPropNumbers& numbers, const UpdateArrays& arrays) {
  ForEachPart(arrays, [&](const auto& part) { LOCKSTEP_DISPATCH(RmsPropPart)(numbers, part); });
}

void UpdateAdagrad(const AdagradNumbers& numbers, const UpdateArrays& arrays) {
  ForEachPart(arrays, [&](const auto& part) { LOCKSTEP_DISPATCH(AdagradPart)(numbers, part); });
}

void SumSquares(int64_t size, const float* x, double* sums) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < size; begin += kPart) {
    sums[begin / kPart] = LOCKSTEP_DISPATCH(SquaresPart)(std::min(kPart, size - begin), x + begin);
  }
}

}  // namespace lockstep::worker
#endif
