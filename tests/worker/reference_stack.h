#ifndef LOCKSTEP_TESTS_WORKER_REFERENCE_STACK_H_
#define LOCKSTEP_TESTS_WORKER_REFERENCE_STACK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/worker/reference_cell.h"
#include "worker/layers/dropout.h"
#include "worker/layers/stack.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// weight_hh [rows, units] of a layer with its mask of the batch, by scalar Philox; `part`: 0, or 1
/// for the reverse direction.
void ReferenceDropWeights(const DropoutSite& site, double probability, uint32_t layer,
                          uint32_t part, int64_t units, std::vector<double>& weights);

/// A stack in double, which runs one item after another, as the formulas read.
class ReferenceStack {
 public:
  using Array = std::vector<double>;

  explicit ReferenceStack(const StackOptions& options) : options_(options) {}

  /// Values of all parameters, as `parameters` has them one behind another; the stack's are those
  /// with `prefix`. A site drops weights.
  void SetParameters(const Parameters& parameters, const Array& values, const DropoutSite* site,
                     const std::string& prefix = "rnn.");

  /// One item: x [n, I], its states [L D, H] (c [L D, units()], empty but for an LSTM), which move
  /// on. Returns the outputs [n, D H], with `plain_outputs` without dropout after the last layer.
  /// `item` is its place in the batch and `first_time` the time step of row 0, for dropout.
  Array Run(const Array& x, Array& h, Array& c, const DropoutSite* site, int64_t item,
            bool plain_outputs = false, int64_t first_time = 0) const;

 private:
  void DropOn(Array& x, double probability, int64_t width, const DropoutSite* site, int layer,
              int64_t item, int64_t first_time) const;
  Array RunDirection(int layer, int64_t direction, const Array& x, double* h, double* c) const;

  const StackOptions options_;
  std::vector<ReferenceValues> values_;  // [L D], each by the names of a first layer
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_REFERENCE_STACK_H_
