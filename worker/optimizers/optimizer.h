#ifndef LOCKSTEP_WORKER_OPTIMIZERS_OPTIMIZER_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "worker/buffer.h"
#include "worker/optimizers/clip.h"

namespace lockstep::worker {

// The formulas are PyTorch's (torch.optim 1.13), for every element of the flat buffers. w is the
// weight, g its gradient (changed as GradientChange says), a the learning rate of the step, t the
// number of the step from 1; L2 decay first adds weight_decay * w to g.

/// m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= a / (1 - b1^t) * m / (sqrt(v) / sqrt(1 -
/// b2^t) + epsilon). `decoupled` (AdamW): instead of L2 decay, w -= a * weight_decay * w comes
/// first. Kingma and Ba 2015; Loshchilov and Hutter 2019. State: exp_avg (m), exp_avg_sq (v).
struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.0;
  bool decoupled = false;
};

/// u = momentum u + (1 - dampening) g, at the first step u = g; w -= a u, with nesterov w -= a (g +
/// momentum u). Without momentum w -= a g. State: momentum_buffer (u), none without momentum.
/// Sutskever et al. 2013.
struct SgdOptions {
  double momentum = 0.0, dampening = 0.0, weight_decay = 0.0;
  bool nesterov = false;
};

/// s = alpha s + (1 - alpha) g^2; d = g / (sqrt(s) + epsilon); with momentum u = momentum u + d and
/// w -= a u, else w -= a d. State: square_avg (s), momentum_buffer (u). Hinton 2012, lecture 6e.
struct RmsPropOptions {
  double alpha = 0.99, epsilon = 1e-8, momentum = 0.0, weight_decay = 0.0;
};

/// s += g^2; w -= a / (1 + (t - 1) learning_rate_decay) * g / (sqrt(s) + epsilon). State: sum (s),
/// which starts at initial_accumulator. Duchi et al. 2011.
struct AdagradOptions {
  double learning_rate_decay = 0.0, initial_accumulator = 0.0, epsilon = 1e-10, weight_decay = 0.0;
};

struct UpdateArrays;

using OptimizerOptions = std::variant<AdamOptions, SgdOptions, RmsPropOptions, AdagradOptions>;

/// Updates flat parameters, or some ranges of them, from a flat gradient. Its state is flat
/// buffers, named as in PyTorch, of the elements that it updates, in their order; and the number of
/// steps done.
class Optimizer {
 public:
  struct Slot {
    std::string name;
    Buffer values;  ///< [size()]
  };

  Optimizer(const OptimizerOptions& options, int64_t parameters)
      : Optimizer(options, std::vector<ParameterRange>{{0, parameters}}) {}
  /// Of these ranges alone: their elements become what they would of all.
  Optimizer(const OptimizerOptions& options, std::vector<ParameterRange> ranges);

  /// One update, in one pass over the buffers. Both spans are those of all parameters.
  void Step(std::span<float> weights, std::span<const float> gradient, double learning_rate,
            const GradientChange& change = {});

  const std::vector<ParameterRange>& ranges() const { return ranges_; }
  int64_t size() const { return size_; }  ///< of all ranges
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  std::vector<Slot>& slots() { return slots_; }
  const std::vector<Slot>& slots() const { return slots_; }

 private:
  void Update(const AdamOptions& o, const UpdateArrays& arrays, double rate);
  void Update(const SgdOptions& o, const UpdateArrays& arrays, double rate);
  void Update(const RmsPropOptions& o, const UpdateArrays& arrays, double rate);
  void Update(const AdagradOptions& o, const UpdateArrays& arrays, double rate);
  float* AddSlot(const std::string& name, float value);

  const OptimizerOptions options_;
  const std::vector<ParameterRange> ranges_;
  const int64_t size_;
  int64_t steps_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_OPTIMIZER_H_
