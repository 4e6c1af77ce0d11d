#ifndef LOCKSTEP_WORKER_LAYERS_LINEAR_H_
#define LOCKSTEP_WORKER_LAYERS_LINEAR_H_

#include <cstdint>
#include <string>

#include "worker/parameters.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

/// y = x W^T + b, as torch.nn.Linear: parameters `name` + ".weight" [O, I] and ".bias" [O], drawn
/// from U(-1/sqrt(I), 1/sqrt(I)).
class Linear {
 public:
  /// Adds its parameters. `parameters` must outlive this.
  Linear(int64_t input_size, int64_t output_size, const std::string& name, Parameters& parameters,
         bool bias = true);

  /// x is [rows, I], y [rows, O]; with `accumulate` (only without bias) y += x W^T.
  void Forward(int64_t rows, const float* x, float* y, bool accumulate = false) const;

  /// Adds to the gradients of the parameters, and writes dL/dx [rows, I] to d_x unless that is
  /// nullptr; with `add_to_d_x` adds it there.
  void Backward(int64_t rows, const float* x, const float* d_y, float* d_x,
                bool add_to_d_x = false);

  /// W^T, for products of x [rows, I] with any number of rows, up to the next change of it.
  void PackWeights(PackedMatrix& packed) const;

  int64_t input_size() const { return input_size_; }
  int64_t output_size() const { return output_size_; }

 private:
  const int64_t input_size_, output_size_;
  Parameters& parameters_;
  const int weight_, bias_;  // -1: none
};

/// x = max(x, 0) over `size` floats.
void Relu(int64_t size, float* x);
/// d = 0 where y = Relu(x) is 0.
void ReluBackward(int64_t size, const float* y, float* d);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_LINEAR_H_
