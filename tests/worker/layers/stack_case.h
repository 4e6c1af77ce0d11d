#ifndef LOCKSTEP_TESTS_WORKER_LAYERS_STACK_CASE_H_
#define LOCKSTEP_TESTS_WORKER_LAYERS_STACK_CASE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/layers/stack.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// What a pass forward and back leaves.
struct StackPass {
  std::vector<float> outputs, d_x, gradient;
  RecurrentState final_state, d_initial;
};

/// A stack with random parameters, and everything that one pass over it needs: items of given
/// lengths, inputs, a state that is not zero, and gradients of the outputs and of the final state.
struct StackCase {
  StackCase(const StackOptions& options, const std::vector<int64_t>& lengths);

  /// The whole pass, and the same one time step after another. Gradients begin at zero.
  StackPass Run(const DropoutSite* site,
                RecurrentStack::Read read = RecurrentStack::Read::kOutputs);
  StackPass RunSteps(const DropoutSite* site);

  /// sum(outputs * d_output) + sum(final state * d_final) by ReferenceStack, at the doubles below.
  /// The last three, unless nullptr, take what it computes, in the order of a pass.
  double ReferenceLoss(const DropoutSite* site, std::vector<double>* outputs = nullptr,
                       std::vector<double>* final_h = nullptr,
                       std::vector<double>* final_c = nullptr) const;

  /// One item of this case alone, with the same parameters.
  std::unique_ptr<StackCase> Item(int64_t item) const;

  StackOptions options;
  PackedSteps steps;
  Parameters parameters;
  RecurrentStack stack;
  std::vector<float> x, d_output;  ///< [R, I], [R, D H]
  RecurrentState initial, d_final;
  /// The parameters, x and the initial state in double, for the reference; may be changed.
  std::vector<double> values, reference_x, reference_h, reference_c;

 private:
  void Doubles();
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_LAYERS_STACK_CASE_H_
