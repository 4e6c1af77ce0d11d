#ifndef LOCKSTEP_WORKER_LOSSES_CRF_KERNELS_H_
#define LOCKSTEP_WORKER_LOSSES_CRF_KERNELS_H_

#include <cstdint>

#include "worker/layers/packed_steps.h"

namespace lockstep::worker {

/// How many items a kernel takes at a time, so that each row of the transitions that it loads
/// serves all of them.
constexpr int64_t kCrfBlock = 4;

/// Forward-backward over normalised probabilities (Rabiner 1989) for the items [first, first +
/// kCrfBlock) of B, or to the last. K tags; all rows but those of emissions and marginals are
/// `stride` floats apart and hold zeros behind K. Factors are exp(score - a constant of their
/// kind).
struct CrfPass {
  const PackedSteps* steps = nullptr;
  int64_t tags = 0;                              ///< K
  int64_t stride = 0;                            ///< a multiple of 16
  const float* emissions = nullptr;              ///< [R, K]
  const float* transitions = nullptr;            ///< [K, stride] P, from a row's tag to a column's
  const float* transposed = nullptr;             ///< [K, stride] P^T
  const float *start = nullptr, *end = nullptr;  ///< [stride]

  /// [R, stride] a_t-1 at row t (the first time step's are not used), and [B, stride] a_n: a_t[j]
  /// is proportional to the sum of all paths up to row t that end in j, and adds up to 1.
  float *before = nullptr, *last = nullptr;
  /// [R, stride] w_t = exp(e_t - max e_t) / the norm of a_t; behind CrfBackward q_t = w_t b_t, so
  /// that a_t-1[i] P[i, j] q_t[j] is the probability of i, j at t - 1, t.
  float* weights = nullptr;
  float* marginals = nullptr;  ///< [R, K] a_t b_t; may be `emissions`
  float* scratch = nullptr;    ///< [B, stride]
  double* log_z = nullptr;     ///< [B] without the constants of the factors
  /// [B] the least of an item's norms: what a sum drops as too small is little beside them all, or
  /// it is not.
  float* least_norm = nullptr;
};

void CrfForward(const CrfPass& pass, int64_t first);
/// After CrfForward.
void CrfBackward(const CrfPass& pass, int64_t first);

/// One step of the search for the likeliest path: next[j] = max_i(now[i] + A[i, j]) for transitions
/// A [K, K], with the i in from[j], the lower one of equals.
void CrfSearchStep(int64_t tags, const float* transitions, const float* now, float* next,
                   int32_t* from);

/// out = exp(x - maximum) [n], NaN kept.
void CrfFactors(int64_t n, float maximum, const float* x, float* out);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_CRF_KERNELS_H_
