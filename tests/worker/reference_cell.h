#ifndef LOCKSTEP_TESTS_WORKER_REFERENCE_CELL_H_
#define LOCKSTEP_TESTS_WORKER_REFERENCE_CELL_H_

#include <map>
#include <string>
#include <vector>

#include "worker/layers/cell.h"

namespace lockstep::worker {

/// Values of parameters in double, by PyTorch's names.
using ReferenceValues = std::map<std::string, std::vector<double>>;

/// One time step of one row through one layer of recurrent parameters "rnn.weight_ih_l0" and so on,
/// as the formulas read: h [H] and, of an LSTM, c [H] move on. With layer normalisation where there
/// is "rnn.layer_norm_ih_l0" and so on (Ba et al. 2016).
void ReferenceCellStep(Cell cell, const ReferenceValues& values, int layer,
                       const std::vector<double>& x, double* h, double* c);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_REFERENCE_CELL_H_
