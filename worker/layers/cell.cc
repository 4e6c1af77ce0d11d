#include "worker/layers/cell.h"

#include <array>
#include <stdexcept>

namespace lockstep::worker {
namespace {

// Constant, so that tests may ask before main.
// clang-format off
constexpr std::array kCells = {
    //        cell                   name                g  c      cand.  direct apart  before peep.
    CellFacts{Cell::kRnnTanh,        "RNN_TANH",         1, false, false, false, false, false, false, {}},
    CellFacts{Cell::kRnnRelu,        "RNN_RELU",         1, false, false, false, false, false, false, {}},
    CellFacts{Cell::kLstm,           "LSTM",             4, true,  false, false, false, false, false, 1},
    CellFacts{Cell::kLstmPeephole,   "LSTM_PEEPHOLE",    4, true,  false, false, false, false, true,  1},
    CellFacts{Cell::kGru,            "GRU",              3, false, true,  true,  true,  false, false, {}},
    CellFacts{Cell::kGruResetBefore, "GRU_RESET_BEFORE", 3, false, true,  true,  false, true,  false, {}},
};
// clang-format on

}  // namespace

const CellFacts& FactsOf(Cell cell) {
  for (const CellFacts& facts : kCells) {
    if (facts.cell == cell) return facts;
  }
  throw std::logic_error("a cell without a line in the table of cells");
}

const std::vector<Cell>& AllCells() {
  static const std::vector<Cell> cells = [] {
    std::vector<Cell> all;
    for (const CellFacts& facts : kCells) all.push_back(facts.cell);
    return all;
  }();
  return cells;
}

}  // namespace lockstep::worker
