#ifndef LOCKSTEP_WORKER_LAYERS_RECURRENT_STATE_H_
#define LOCKSTEP_WORKER_LAYERS_RECURRENT_STATE_H_

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::worker {

/// The hidden state of B lanes of a stack of L layers: h and, where the cell has it, c (else
/// empty), [L, B, H] and [L, B, units of c]. What goes over all of a state (checkpoints, gathering
/// lanes) goes over parts() and is right for any cell.
struct RecurrentState {
  /// One array of a state, never empty. `values` lives as long as the state.
  struct Part {
    const char* name;  ///< "h" or "c"
    std::vector<float>& values;
  };
  struct ConstPart {
    const char* name;
    const std::vector<float>& values;
  };

  /// The arrays that are there, in a fixed order.
  std::vector<Part> parts() {
    std::vector<Part> parts;
    if (!h.empty()) parts.push_back({"h", h});
    if (!c.empty()) parts.push_back({"c", c});
    return parts;
  }
  std::vector<ConstPart> parts() const {
    std::vector<ConstPart> parts;
    if (!h.empty()) parts.push_back({"h", h});
    if (!c.empty()) parts.push_back({"c", c});
    return parts;
  }

  /// Floats of a lane in one layer of an array.
  int64_t width(const std::vector<float>& values) const {
    return static_cast<int64_t>(values.size()) / (layers * lanes);
  }

  std::vector<float> h, c;
  int64_t layers = 0;  ///< L
  int64_t lanes = 0;   ///< B
  int64_t units = 0;   ///< H, of h
};

/// The lanes from[0], from[1], ... of a state; one may be named several times.
RecurrentState SelectLanes(const RecurrentState& state, std::span<const int64_t> from);

/// [blocks, from.size(), width] of `values` [blocks, rows, width], likewise.
std::vector<float> SelectRows(const std::vector<float>& values, int64_t blocks, int64_t rows,
                              std::span<const int64_t> from);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_RECURRENT_STATE_H_
