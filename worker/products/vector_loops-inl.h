// Loops over rows of any width, for Highway's kernels: included once for each target, after
// highway.h.

#if defined(LOCKSTEP_WORKER_PRODUCTS_VECTOR_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_WORKER_PRODUCTS_VECTOR_LOOPS_INL_H_
#undef LOCKSTEP_WORKER_PRODUCTS_VECTOR_LOOPS_INL_H_
#else
#define LOCKSTEP_WORKER_PRODUCTS_VECTOR_LOOPS_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls body(d, i) over [0, n): full vectors first, single floats last.
template <class Body>
void ForEachVector(int64_t n, const Body& body) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 1> single;
  const auto width = static_cast<int64_t>(hn::Lanes(full));
  int64_t i = 0;
  for (; i + width <= n; i += width) body(full, i);
  for (; i < n; ++i) body(single, i);
}

// The sum of term(d, i) over [0, n).
template <class Term>
float SumOverVectors(int64_t n, const Term& term) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 1> single;
  const auto width = static_cast<int64_t>(hn::Lanes(full));
  auto sums = hn::Zero(full);
  int64_t i = 0;
  for (; i + width <= n; i += width) sums = hn::Add(sums, term(full, i));
  float sum = hn::GetLane(hn::SumOfLanes(full, sums));
  for (; i < n; ++i) sum += hn::GetLane(term(single, i));
  return sum;
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LOCKSTEP_WORKER_PRODUCTS_VECTOR_LOOPS_INL_H_
