#ifndef LOCKSTEP_WORKER_LAYERS_ATTENTION_KERNELS_H_
#define LOCKSTEP_WORKER_LAYERS_ATTENTION_KERNELS_H_

#include <cstdint>

namespace lockstep::worker {

/// What one query meets, as the kernels see it: n rows of one source, A floats each, row-major and
/// dense. Each kernel runs on the calling thread.
///
/// The additive score v^T tanh(q + k) takes one exponential a row instead of a tanh for each pair:
/// with Eq = exp(2 q), Ek = exp(2 k) and r = 1 / (1 + Eq Ek),
///     tanh(q + k) = 1 - 2 r,    tanh'(q + k) = 4 r (1 - r).
/// Sum(v) is the same in all of a query's scores, so softmax does not see it and it is left out.

/// x = exp(2 x) over `size` floats. x is taken as +-43 where it is beyond, so that no product of
/// two is infinite times 0; what two such values add up to differs from tanh only where both are
/// beyond and cancel.
void ExponentialsOfTwice(int64_t size, float* x);

/// scores[j] = -2 sum_i v[i] r[j, i] for exponentials `query` [A] and `keys` [n, A].
void AdditiveScores(int64_t n, int64_t units, const float* query, const float* keys, const float* v,
                    float* scores);

/// Gradients of AdditiveScores: d_query [A] is written, with regard to q; v's is added to d_v [A];
/// sum_i d_scores[j] r (1 - r) is added to d_keys [n, A], still to be multiplied by 4 v (see
/// ScaleKeyGradient), which all queries share.
void AdditiveScoresBackward(int64_t n, int64_t units, const float* query, const float* keys,
                            const float* v, const float* d_scores, float* d_query, float* d_keys,
                            float* d_v);

/// d_keys [n, A] *= 4 v.
void ScaleKeyGradient(int64_t n, int64_t units, const float* v, float* d_keys);

/// out[j] = rows[j] . x for `rows` [n, size].
void RowProducts(int64_t n, int64_t size, const float* rows, const float* x, float* out);

/// n rows of `size` floats, and a weight for each. Row j is the `index[j]`-th of `rows` (nullptr:
/// the j-th), its weight is `weights[weight_stride *` that number`]`.
struct WeightedRows {
  int64_t n = 0;
  int64_t size = 0;
  const float* rows = nullptr;
  const int64_t* index = nullptr;
  const float* weights = nullptr;
  int64_t weight_stride = 1;
};

/// out [size] = sum of weight * row, rows in their order.
void WeightedSum(const WeightedRows& of, float* out);

/// x = softmax(x) over n floats.
void Softmax(int64_t n, float* x);

/// d = y (d - d . y), the way back through y = softmax(x).
void SoftmaxBackward(int64_t n, const float* y, float* d);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_ATTENTION_KERNELS_H_
