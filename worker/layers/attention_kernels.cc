#include "worker/layers/attention_kernels.h"

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/layers/attention_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target, once for each target.
#include "worker/losses/softmax-inl.h"
#include "worker/products/exponential-inl.h"
#include "worker/products/vector_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// exp(2 * 43) and exp(-2 * 43) are both normal numbers of float32.
constexpr float kLargest = 43.0f;

template <class D, class V = hn::Vec<D>>
V Reciprocal(D d, V query, V key) {
  const auto one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::MulAdd(query, key, one));
}

void ExponentialsOfTwiceImpl(int64_t size, float* x) {
  ForEachVector(size, [&](auto d, int64_t i) {
    const auto value = hn::LoadU(d, x + i);
    const auto near = Between(d, -kLargest, kLargest, value);
    const auto e = Exponential(d, hn::Add(near, near));
    hn::StoreU(WithNanOf(d, value, e), d, x + i);
  });
}

// Four rows at a time, which hides the latency of their sums and loads query and v once.
void AdditiveScoresImpl(int64_t n, int64_t units, const float* query, const float* keys,
                        const float* v, float* scores) {
  const hn::ScalableTag<float> d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d)), full = units / width * width;
  int64_t j = 0;
  const auto finish = [&](int64_t row, float sum) {
    for (int64_t i = full; i < units; ++i) {
      sum += v[i] / (query[i] * keys[row * units + i] + 1.0f);
    }
    scores[row] = -2.0f * sum;
  };
  for (; j + 4 <= n; j += 4) {
    const float *k0 = keys + j * units, *k1 = k0 + units, *k2 = k1 + units, *k3 = k2 + units;
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t i = 0; i < full; i += width) {
      const auto q = hn::LoadU(d, query + i), weight = hn::LoadU(d, v + i);
      s0 = hn::MulAdd(weight, Reciprocal(d, q, hn::LoadU(d, k0 + i)), s0);
      s1 = hn::MulAdd(weight, Reciprocal(d, q, hn::LoadU(d, k1 + i)), s1);
      s2 = hn::MulAdd(weight, Reciprocal(d, q, hn::LoadU(d, k2 + i)), s2);
      s3 = hn::MulAdd(weight, Reciprocal(d, q, hn::LoadU(d, k3 + i)), s3);
    }
    finish(j, hn::GetLane(hn::SumOfLanes(d, s0)));
    finish(j + 1, hn::GetLane(hn::SumOfLanes(d, s1)));
    finish(j + 2, hn::GetLane(hn::SumOfLanes(d, s2)));
    finish(j + 3, hn::GetLane(hn::SumOfLanes(d, s3)));
  }
  for (; j < n; ++j) {
    auto sum = hn::Zero(d);
    for (int64_t i = 0; i < full; i += width) {
      const auto r = Reciprocal(d, hn::LoadU(d, query + i), hn::LoadU(d, keys + j * units + i));
      sum = hn::MulAdd(hn::LoadU(d, v + i), r, sum);
    }
    finish(j, hn::GetLane(hn::SumOfLanes(d, sum)));
  }
}

void AdditiveScoresBackwardImpl(int64_t n, int64_t units, const float* query, const float* keys,
                                const float* v, const float* d_scores, float* d_query,
                                float* d_keys, float* d_v) {
  ForEachVector(units, [&](auto d, int64_t i) {
    const auto q = hn::LoadU(d, query + i);
    auto slopes = hn::Zero(d), reciprocals = hn::Zero(d);
    for (int64_t j = 0; j < n; ++j) {
      const auto r = Reciprocal(d, q, hn::LoadU(d, keys + j * units + i));
      const auto d_score = hn::Set(d, d_scores[j]);
      const auto slope = hn::Mul(d_score, hn::NegMulAdd(r, r, r));
      float* d_key = d_keys + j * units + i;
      hn::StoreU(hn::Add(hn::LoadU(d, d_key), slope), d, d_key);
      slopes = hn::Add(slopes, slope);
      reciprocals = hn::MulAdd(d_score, r, reciprocals);
    }
    const auto weight = hn::LoadU(d, v + i);
    hn::StoreU(hn::Mul(hn::Mul(slopes, weight), hn::Set(d, 4.0f)), d, d_query + i);
    hn::StoreU(hn::MulAdd(reciprocals, hn::Set(d, -2.0f), hn::LoadU(d, d_v + i)), d, d_v + i);
  });
}

void ScaleKeyGradientImpl(int64_t n, int64_t units, const float* v, float* d_keys) {
  for (int64_t j = 0; j < n; ++j) {
    ForEachVector(units, [&](auto d, int64_t i) {
      float* d_key = d_keys + j * units + i;
      const auto factor = hn::Mul(hn::LoadU(d, v + i), hn::Set(d, 4.0f));
      hn::StoreU(hn::Mul(hn::LoadU(d, d_key), factor), d, d_key);
    });
  }
}

// Four rows at a time, as above.
void RowProductsImpl(int64_t n, int64_t size, const float* rows, const float* x, float* out) {
  const hn::ScalableTag<float> d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d)), full = size / width * width;
  const auto finish = [&](int64_t row, float sum) {
    for (int64_t i = full; i < size; ++i) sum += rows[row * size + i] * x[i];
    out[row] = sum;
  };
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    const float *r0 = rows + j * size, *r1 = r0 + size, *r2 = r1 + size, *r3 = r2 + size;
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t i = 0; i < full; i += width) {
      const auto value = hn::LoadU(d, x + i);
      s0 = hn::MulAdd(hn::LoadU(d, r0 + i), value, s0);
      s1 = hn::MulAdd(hn::LoadU(d, r1 + i), value, s1);
      s2 = hn::MulAdd(hn::LoadU(d, r2 + i), value, s2);
      s3 = hn::MulAdd(hn::LoadU(d, r3 + i), value, s3);
    }
    finish(j, hn::GetLane(hn::SumOfLanes(d, s0)));
    finish(j + 1, hn::GetLane(hn::SumOfLanes(d, s1)));
    finish(j + 2, hn::GetLane(hn::SumOfLanes(d, s2)));
    finish(j + 3, hn::GetLane(hn::SumOfLanes(d, s3)));
  }
  for (; j < n; ++j) {
    auto sum = hn::Zero(d);
    for (int64_t i = 0; i < full; i += width) {
      sum = hn::MulAdd(hn::LoadU(d, rows + j * size + i), hn::LoadU(d, x + i), sum);
    }
    finish(j, hn::GetLane(hn::SumOfLanes(d, sum)));
  }
}

// Four vectors of a row at a time, whose sums stay in registers over all rows.
void WeightedSumImpl(const WeightedRows& of, float* out) {
  const hn::ScalableTag<float> d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d)), size = of.size;
  int64_t i = 0;
  for (; i + 4 * width <= size; i += 4 * width) {
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t j = 0; j < of.n; ++j) {
      const int64_t number = of.index ? of.index[j] : j;
      const auto weight = hn::Set(d, of.weights[number * of.weight_stride]);
      const float* row = of.rows + number * size + i;
      s0 = hn::MulAdd(weight, hn::LoadU(d, row), s0);
      s1 = hn::MulAdd(weight, hn::LoadU(d, row + width), s1);
      s2 = hn::MulAdd(weight, hn::LoadU(d, row + 2 * width), s2);
      s3 = hn::MulAdd(weight, hn::LoadU(d, row + 3 * width), s3);
    }
    hn::StoreU(s0, d, out + i);
    hn::StoreU(s1, d, out + i + width);
    hn::StoreU(s2, d, out + i + 2 * width);
    hn::StoreU(s3, d, out + i + 3 * width);
  }
  ForEachVector(size - i, [&](auto tag, int64_t k) {
    auto sum = hn::Zero(tag);
    for (int64_t j = 0; j < of.n; ++j) {
      const int64_t number = of.index ? of.index[j] : j;
      const auto weight = hn::Set(tag, of.weights[number * of.weight_stride]);
      sum = hn::MulAdd(weight, hn::LoadU(tag, of.rows + number * size + i + k), sum);
    }
    hn::StoreU(sum, tag, out + i + k);
  });
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(ExponentialsOfTwiceImpl);
HWY_EXPORT(AdditiveScoresImpl);
HWY_EXPORT(AdditiveScoresBackwardImpl);
HWY_EXPORT(ScaleKeyGradientImpl);
HWY_EXPORT(RowProductsImpl);
HWY_EXPORT(WeightedSumImpl);
HWY_EXPORT(SoftmaxRow);

void ExponentialsOfTwice(int64_t size, float* x) {
  LOCKSTEP_DISPATCH(ExponentialsOfTwiceImpl)(size, x);
}

void AdditiveScores(int64_t n, int64_t units, const float* query, const float* keys, const float* v,
                    float* scores) {
  LOCKSTEP_DISPATCH(AdditiveScoresImpl)(n, units, query, keys, v, scores);
}

void AdditiveScoresBackward(int64_t n, int64_t units, const float* query, const float* keys,
                            const float* v, const float* d_scores, float* d_query, float* d_keys,
                            float* d_v) {
  LOCKSTEP_DISPATCH(AdditiveScoresBackwardImpl)
  (n, units, query, keys, v, d_scores, d_query, d_keys, d_v);
}

void ScaleKeyGradient(int64_t n, int64_t units, const float* v, float* d_keys) {
  LOCKSTEP_DISPATCH(ScaleKeyGradientImpl)(n, units, v, d_keys);
}

void RowProducts(int64_t n, int64_t size, const float* rows, const float* x, float* out) {
  LOCKSTEP_DISPATCH(RowProductsImpl)(n, size, rows, x, out);
}

void WeightedSum(const WeightedRows& of, float* out) {
  LOCKSTEP_DISPATCH(WeightedSumImpl)(of, out);
}

void Softmax(int64_t n, float* x) { LOCKSTEP_DISPATCH(SoftmaxRow)(n, x); }

void SoftmaxBackward(int64_t n, const float* y, float* d) {
  float sum = 0.0f;
  for (int64_t j = 0; j < n; ++j) sum += y[j] * d[j];
  for (int64_t j = 0; j < n; ++j) d[j] = y[j] * (d[j] - sum);
}

}  // namespace lockstep::worker
#endif
