#ifndef LOCKSTEP_WORKER_LAYERS_TANH_H_
#define LOCKSTEP_WORKER_LAYERS_TANH_H_

#include <cstdint>

namespace lockstep::worker {

/// x = tanh(x) over `size` floats.
void Tanh(int64_t size, float* x);
/// d *= 1 - y^2 for y = tanh(x): the way back.
void TanhBackward(int64_t size, const float* y, float* d);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_TANH_H_
