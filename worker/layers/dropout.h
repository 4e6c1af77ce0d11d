#ifndef LOCKSTEP_WORKER_LAYERS_DROPOUT_H_
#define LOCKSTEP_WORKER_LAYERS_DROPOUT_H_

#include <cstdint>

#include "worker/layers/packed_steps.h"
#include "worker/philox.h"

namespace lockstep::worker {

/// Where in a training a dropout mask belongs. The mask is a pure function of these, of the lane,
/// the time step and the unit (Philox), so that it is the same on any number of ranks and after any
/// resume, and the backward pass draws it again instead of keeping it.
struct DropoutSite {
  uint64_t seed = 0;
  uint64_t batch = 0;  ///< batches since the start of the training
  uint32_t layer = 0;
  int64_t first_lane = 0;  ///< global number of the first lane in the array
  /// [B] global numbers of the lanes, where they do not follow one another; must outlive the pass.
  const int64_t* lanes = nullptr;
  /// All time steps of a lane have one mask: Gal and Ghahramani 2016.
  bool locked = false;
};

/// A double in [0, 1) for an item's time step, whatever else is in the batch: a pure function of
/// site.seed, site.batch, the item's lane, t and what it is for. (Not of site.layer.)
double DrawAt(const DropoutSite& site, RandomPurpose purpose, int64_t t, int64_t item);

/// Inverted dropout (Srivastava et al. 2014): out = x * mask / (1 - probability), with mask 0 where
/// an element is dropped. x and out are [T, B, H] and may be the same array. Probability in [0, 1),
/// rounded to a multiple of 2^-32 below 1; the gradient goes through the same call.
void Dropout(const DropoutSite& site, double probability, int64_t time_steps, int64_t lanes,
             int64_t units, const float* x, float* out);

/// The same for packed rows [R, H]; an item is a lane, whatever else is in the batch.
void Dropout(const DropoutSite& site, double probability, const PackedSteps& steps, int64_t units,
             const float* x, float* out);

/// The same for the rows [lanes, H] of time step t alone, those of the first lanes.
void DropoutOfStep(const DropoutSite& site, double probability, int64_t t, int64_t lanes,
                   int64_t units, const float* x, float* out);

/// DropConnect (Wan et al. 2013): out = weights * mask / (1 - probability) of weights [rows,
/// columns]. The mask is a pure function of site.seed, batch and layer and of `part`, which tells
/// weights of one layer apart: all ranks have the same.
void DropWeights(const DropoutSite& site, double probability, uint32_t part, int64_t rows,
                 int64_t columns, const float* weights, float* out);

/// Whole rows of an embedding dropped (Gal and Ghahramani 2016): out[row] = x[row] * mask of
/// tokens[row] / (1 - probability), where x [rows, units] are the tokens' vectors, or their
/// gradients, and may be the same array. The mask is a pure function of site.seed, site.batch and
/// the token: wherever it stands in a batch, on whatever rank, it is dropped or not.
void DropTokens(const DropoutSite& site, double probability, int64_t rows, const int32_t* tokens,
                int64_t units, const float* x, float* out);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_DROPOUT_H_
