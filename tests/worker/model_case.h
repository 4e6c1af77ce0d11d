#ifndef LOCKSTEP_TESTS_WORKER_MODEL_CASE_H_
#define LOCKSTEP_TESTS_WORKER_MODEL_CASE_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/worker/reference_model.h"
#include "worker/models/language_model.h"
#include "worker/products/precision.h"

namespace lockstep::worker {

/// `count` values from U(-bound, bound), the same on every machine.
std::vector<float> UniformValues(std::mt19937& generator, size_t count, float bound);

/// An operand's element as products of this precision take it.
float Taken(float x, Precision precision = ProductPrecision());

/// A model with random parameters and everything that one pass over it needs: a state that is not
/// zero, tokens, and targets of which one does not count.
struct ModelCase {
  ModelCase(const LanguageModelOptions& options, int64_t T, int64_t B, uint32_t random_seed = 1);

  TokenBatch batch() const { return {time_steps, lanes, inputs.data(), targets.data()}; }
  ReferenceState InitialReferenceState() const;
  ReferenceModel Reference() const { return {model.options(), model.parameters()}; }

  /// One Forward from the initial state and one Backward, into gradients that were zero. Returns
  /// the loss; `final_state`, unless nullptr, takes the state after it.
  double Run(RecurrentState* final_state = nullptr);

  LanguageModel model;
  int64_t time_steps, lanes;
  RecurrentState initial_state;
  std::vector<int32_t> inputs, targets;
  DropoutSite site{.seed = 0x123456789ABCDEF, .batch = 0x500000007, .first_lane = 2};
  GradientReady ready;  ///< Run hands it on
};

/// "LSTM" and the like, for names of tests.
std::string CellName(Cell cell);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_MODEL_CASE_H_
