#ifndef LOCKSTEP_WORKER_LAYERS_CELL_NORM_H_
#define LOCKSTEP_WORKER_LAYERS_CELL_NORM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/cell.h"
#include "worker/layers/gate_kernels.h"
#include "worker/layers/layer_norm.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// Layer normalisation inside a recurrent layer (Ba, Kiros and Hinton 2016, eq. 20 to 27): of the
/// input side Wx x and of the hidden side Wh h, each before the biases are added and over all gates
/// of a row together, and of what tanh takes of an LSTM's c. Of the GRUs r and z are normalised
/// together and n by itself. Parameters, where `suffix` is "_l0" and the like:
/// "layer_norm_ih_l0" and "layer_norm_hh_l0" [gH], gains, which begin at 1; LSTM:
/// "layer_norm_c_l0" [H] and the bias "layer_norm_c_bias_l0" [H].
/// R rows of a pass (PackedSteps); a call is over `rows` of them from `row` on.
class CellNorm {
 public:
  CellNorm(Cell cell, int64_t hidden_size, int64_t gate_stride, const std::string& prefix,
           const std::string& suffix, Parameters& parameters);
  /// Of the same parameters, in arrays of its own.
  static CellNorm Sharing(const CellNorm& other);

  void Prepare(int64_t rows);

  /// Where Wx x of the row stands, [.., gate_stride].
  float* input_side(int64_t row) { return input_.data() + row * stride_; }
  /// gates [rows, gate_stride] = the normalised input side + bias [gH].
  void Input(int64_t row, int64_t rows, const float* bias, float* gates);
  /// product [rows, columns], the columns from `first` on of the hidden side, becomes its
  /// normalised self. `first` and `columns` are whole groups.
  void Hidden(int64_t row, int64_t rows, int64_t first, int64_t columns, float* product);
  /// LSTM, after LstmForward: h of the normalised c.
  void Output(int64_t row, GateStep step);

  /// LSTM: LstmBackward with a normalised c. zeros is [rows, H].
  void OutputBackward(int64_t row, GateStep step, float* zeros);
  /// From the gradients in `gates`, as the backward kernels leave them there: those of the columns
  /// from `first` on of Wh h. Returned at `first`, with rows gate_stride apart; they live until the
  /// next Prepare.
  const float* HiddenBackward(int64_t row, int64_t rows, int64_t first, int64_t columns,
                              const float* gates);
  /// The same of Wx x, all columns. `apart` is [rows, H], the gradient of the input side of the
  /// last gate where it is not in `gates`, else nullptr.
  const float* InputBackward(int64_t row, int64_t rows, const float* gates, const float* apart);
  const float* d_hidden() const { return d_hidden_.data(); }
  const float* d_input() const { return d_input_.data(); }
  /// At the end, of all R rows: adds to the gradients of the gains and of c's bias.
  void Gradients(int64_t rows, const float* gates, const float* apart);

  /// Floats that a training pass keeps for each row.
  int64_t FloatsOfRow() const { return 4 * stride_ + (facts_.has_c ? 2 * units_ : 0); }

 private:
  struct Group {
    int64_t begin, end;
  };
  CellNorm(Cell cell, int64_t hidden_size, int64_t gate_stride, Parameters& parameters);
  LayerNormRows InputRows(size_t group, int64_t row, int64_t rows);
  LayerNormRows HiddenRows(size_t group, int64_t row, int64_t rows);
  LayerNormRows CellRows(int64_t row, int64_t rows);

  const CellFacts& facts_;
  const int64_t units_, stride_;
  Parameters& parameters_;
  std::vector<Group> groups_;  // of gates that are normalised together
  int gain_ih_ = -1, gain_hh_ = -1, gain_c_ = -1, bias_c_ = -1;
  Buffer input_, hidden_;      // [R, stride] Wx x, later normalised, and Wh h normalised
  Buffer d_input_, d_hidden_;  // [R, stride] the gradients of Wx x and Wh h
  Buffer cell_, d_cell_;       // [R, H] c normalised, and the gradient of what tanh takes
  Buffer inverse_input_, inverse_hidden_, inverse_cell_;  // [R, groups], [R, groups], [R]
  Buffer d_output_gate_, d_c_;                            // [B, H]
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_CELL_NORM_H_
