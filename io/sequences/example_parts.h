#ifndef LOCKSTEP_IO_SEQUENCES_EXAMPLE_PARTS_H_
#define LOCKSTEP_IO_SEQUENCES_EXAMPLE_PARTS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::io {

/// To which part - 0 train, 1 validation, 2 test - each of `count` examples belongs when they are
/// cut by shares: the first ones to train, or, shuffled, as many that a fixed permutation of
/// `count` (the same on every machine) draws.
std::vector<int8_t> DrawParts(std::span<const double> shares, uint64_t count, bool shuffle);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_EXAMPLE_PARTS_H_
