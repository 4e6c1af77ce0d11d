#ifndef LOCKSTEP_WORKER_LAYERS_POOLING_KERNELS_H_
#define LOCKSTEP_WORKER_LAYERS_POOLING_KERNELS_H_

#include <cstdint>

namespace lockstep::worker {

// Rows of n floats; each runs on the calling thread.

/// x = tanh(x); returns v . x.
float TanhAndProduct(int64_t n, const float* v, float* x);

/// x = s v (1 - x^2): what flows into z where x is tanh(z) and s into v . x.
void TanhAndProductBackward(int64_t n, float s, const float* v, float* x);

/// sum += factor x.
void AddScaledRow(int64_t n, float factor, const float* x, float* sum);

/// x . y.
float RowProduct(int64_t n, const float* x, const float* y);

/// most = max(most, x), and where x is larger (or not a number) place = t.
void KeepLargest(int64_t n, int32_t t, const float* x, float* most, int32_t* place);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_POOLING_KERNELS_H_
