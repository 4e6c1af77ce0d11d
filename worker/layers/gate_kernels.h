#ifndef LOCKSTEP_WORKER_LAYERS_GATE_KERNELS_H_
#define LOCKSTEP_WORKER_LAYERS_GATE_KERNELS_H_

#include <cstdint>

namespace lockstep::worker {

/// One time step of one layer, as the pointwise kernels see it. B lanes, H units, g gates; all
/// arrays row-major and dense. A kernel uses the fields that its comment names and leaves the
/// others alone. `gates` holds the pre-activations of the input side before the forward kernel, the
/// activations after it, and the gradient of the pre-activations after the backward kernel. Where
/// there are `tokens`, forward kernels read the input side in `table` instead.
struct GateStep {
  int64_t lanes = 0;        ///< B
  int64_t units = 0;        ///< H
  int64_t gate_stride = 0;  ///< floats from one lane to the next in `gates`, at least gH
  const float* product =
      nullptr;  ///< [B, gH] forward: H[t-1] Wh^T. GRU_RESET_BEFORE: its second kernels take [B, H]
  float* gates = nullptr;                 ///< [B, gH]
  const int32_t* tokens = nullptr;        ///< [B] or nullptr: the lanes' rows of `table`
  const float* table = nullptr;           ///< [V, gH] input sides of tokens
  const float* h_previous = nullptr;      ///< [B, H] H[t-1]
  float* h = nullptr;                     ///< [B, H] H[t]
  const float* c_previous = nullptr;      ///< [B, H] C[t-1]
  float* c = nullptr;                     ///< [B, H] C[t]
  const float* candidate_bias = nullptr;  ///< [H] GRU: b_hn
  float* candidate = nullptr;  ///< [B, H] GRU: W_hn h + b_hn, later dL/d(that side's input part);
                               ///< GRU_RESET_BEFORE: r * h
  const float* d_output = nullptr;  ///< [B, H] dL/dH[t] from above
  float* d_h =
      nullptr;  ///< [B, H] dL/dH[t] from t+1; GRUs leave their direct part of dL/dH[t-1] here
  const float* normalized_c = nullptr;  ///< [B, H] an LSTM's with layer normalisation
  const float* c_gain = nullptr;        ///< [H] tanh takes c_gain normalized_c + c_bias
  const float* c_bias = nullptr;        ///< [H]
  float* d_normalized_c = nullptr;      ///< [B, H] dL/d(what tanh takes)
  float* d_output_gate = nullptr;       ///< [B, H] dL/d(pre-activation of o)
  const float* peephole = nullptr;      ///< [3H] an LSTM's weights from c to i, f and o, or none
  float* d_c = nullptr;                 ///< [B, H] dL/dC[t] from t+1, becomes dL/dC[t-1]
};

/// RNN: h = tanh(gates + product) or relu(...). Uses product, gates (not changed), h.
void RnnForward(const GateStep& step, bool relu);
/// gates = dL/d(pre-activation). Uses h, d_output, d_h.
void RnnBackward(const GateStep& step, bool relu);

/// LSTM, gates i,f,g,o: c = f c' + i g; h = o tanh(c). Hochreiter and Schmidhuber 1997; Gers et al.
/// 2000 for f. With peepholes, Gers et al. 2002: p_i c' and p_f c' are added to what i and f take,
/// p_o c to what o takes. Uses product, gates, c_previous, peephole, c, h.
void LstmForward(const GateStep& step);
/// Uses gates, c_previous, c, peephole, d_output, d_h, d_c.
void LstmBackward(const GateStep& step);

/// LSTM with layer normalisation of c, after the kernel above: h = o tanh(gain n + bias). Uses
/// gates, normalized_c, c_gain, c_bias, h.
void LstmOutputForward(const GateStep& step);
/// Before LstmBackward, which is then without d_output and d_h. Uses gates (not changed),
/// normalized_c, c_gain, c_bias, d_output, d_h, d_normalized_c, d_output_gate.
void LstmOutputBackward(const GateStep& step);

/// GRU, gates r,z,n, reset after the product (PyTorch, cuDNN): n = tanh(x_n + r (W_hn h' + b_hn));
/// h = (1-z) n + z h'. Uses product, gates, candidate_bias, candidate, h_previous, h.
void GruForward(const GateStep& step);
/// gates = gradient for the hidden side (r, z, r dn); candidate = gradient dn for the input side of
/// n; d_h = direct part. Uses gates, candidate, h_previous, d_output, d_h.
void GruBackward(const GateStep& step);

/// GRU, gates r,z,n, reset before the product (Cho et al. 2014): n = tanh(x_n + W_hn (r h')); h =
/// (1-z) n + z h'. First kernel: r, z from product [B, 2H]; candidate = r h'. Uses product, gates,
/// candidate, h_previous.
void GruResetForward(const GateStep& step);
/// Second kernel: n from product [B, H] = candidate W_hn^T, and h. Uses product, gates, h_previous,
/// h.
void GruOutputForward(const GateStep& step);
/// First kernel back: gates' n and z parts become gradients; d_h = direct part. Uses gates,
/// h_previous, d_output, d_h.
void GruOutputBackward(const GateStep& step);
/// Second kernel back: product [B, H] = dL/d(r h'); gates' r part becomes its gradient; d_h += r
/// dL/d(r h'). Uses product, gates, h_previous, d_h.
void GruResetBackward(const GateStep& step);

/// The widest vector unit that the kernels above use on this machine: "AVX2", "AVX3" (AVX-512) and
/// the like.
const char* GateKernelTarget();

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_GATE_KERNELS_H_
