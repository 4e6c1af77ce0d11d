#ifndef LOCKSTEP_WORKER_LAYERS_CELL_H_
#define LOCKSTEP_WORKER_LAYERS_CELL_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace lockstep::worker {

/// The recurrent cells; formulas and sources in worker/layers/gate_kernels.h.
enum class Cell { kRnnTanh, kRnnRelu, kLstm, kLstmPeephole, kGru, kGruResetBefore };

/// What differs between cells, but for their gate kernels. A new cell is a line of the table in
/// cell.cc, its kernels, and their two calls in recurrent_layer.cc.
struct CellFacts {
  Cell cell;
  const char* name;                    ///< as the configuration has it: "GRU_RESET_BEFORE"
  int64_t gates;                       ///< g: 1 for the RNNs, 4 for LSTMs (i,f,g,o), 3 for GRUs
  bool has_c;                          ///< its state is h and c, not h alone
  bool keeps_candidate;                ///< its kernels keep an array `candidate` for the way back
  bool direct_path;                    ///< h[t] has a part of h[t-1] that passes no product
  bool candidate_bias_apart;           ///< the last gate's b_hh stands behind the reset gate
  bool reset_before;                   ///< the last gate's product is of r h[t-1]
  bool peephole;                       ///< the gates i, f and o see c, each unit its own
  std::optional<int64_t> forget_gate;  ///< the gate whose bias may start above 0; none: not allowed

  /// Of the gates, those whose input side and hidden side are one sum: they share a bias gradient.
  int64_t shared_gates() const { return candidate_bias_apart ? gates - 1 : gates; }
  /// Of the gates, those whose hidden side is one product of h[t-1].
  int64_t gates_from_h() const { return reset_before ? gates - 1 : gates; }
};

const CellFacts& FactsOf(Cell cell);

/// Every cell, in the order of the enum: what promises of a cell are tested over.
const std::vector<Cell>& AllCells();

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_CELL_H_
