#include "trainer/data/lanes.h"

#include <algorithm>
#include <stdexcept>

namespace lockstep::trainer {
namespace {

constexpr int64_t kReadAheadTokens = 16384;

}  // namespace

LaneLayout::LaneLayout(const io::Split& split, int64_t lanes, int64_t time_steps,
                       int64_t most_predictions)
    : first_token_(split.begin),
      split_predictions_(split.size() > 0 ? static_cast<int64_t>(split.size()) - 1 : 0),
      lanes_(lanes),
      time_steps_(time_steps),
      longest_((split_predictions_ + lanes - 1) / lanes) {
  if (most_predictions > 0) {
    longest_ = std::min(longest_, std::max<int64_t>(1, most_predictions / lanes));
  }
  batches_ = (longest_ + time_steps - 1) / time_steps;
}

// Stripes differ by one prediction at most, so a bound below the longest binds every lane.
int64_t LaneLayout::predictions() const { return std::min(split_predictions_, longest_ * lanes_); }

LaneLayout LaneLayout::Varied(const std::vector<int64_t>& time_steps) const {
  LaneLayout varied = *this;
  varied.begins_ = {0};
  for (const int64_t count : time_steps) varied.begins_.push_back(varied.begins_.back() + count);
  if (varied.begins_.back() != longest_) throw std::invalid_argument("time steps of another split");
  varied.batches_ = std::ssize(time_steps);
  return varied;
}

int64_t LaneLayout::time_steps(int64_t batch) const {
  if (!begins_.empty()) return begins_[batch + 1] - begins_[batch];
  return std::min(time_steps_, longest_ - batch * time_steps_);
}

// 128 bits: lanes times predictions may pass 64.
int64_t LaneLayout::Boundary(int64_t lane) const {
  return static_cast<int64_t>(static_cast<__int128>(lane) * split_predictions_ / lanes_);
}

uint64_t LaneLayout::LaneBegin(int64_t lane) const { return first_token_ + Boundary(lane); }

int64_t LaneLayout::LaneSize(int64_t lane) const {
  return std::min(longest_, Boundary(lane + 1) - Boundary(lane));
}

Lanes::Lanes(const io::Dataset& dataset, const LaneLayout& layout, LaneRange range)
    : dataset_(dataset), layout_(layout), range_(range), blocks_(range.count()) {}

// Tokens [begin, begin + count) of a lane, from its block; a new block starts at `begin`.
const int32_t* Lanes::Tokens(int64_t lane, uint64_t begin, int64_t count) {
  Block& block = blocks_[lane - range_.begin];
  const uint64_t end = begin + count;
  if (begin < block.begin || end > block.begin + block.tokens.size()) {
    const uint64_t stripe_end = layout_.LaneBegin(lane) + layout_.LaneSize(lane) + 1;
    block.begin = begin;
    block.tokens.resize(std::min<uint64_t>(stripe_end - begin, std::max(count, kReadAheadTokens)));
    dataset_.Read(begin, block.tokens);
  }
  return block.tokens.data() + (begin - block.begin);
}

worker::TokenBatch Lanes::Read(int64_t batch) {
  const int64_t T = layout_.time_steps(batch), B = range_.count();
  const int64_t first = layout_.FirstTimeStep(batch);
  inputs_.assign(T * B, 0);
  targets_.assign(T * B, kNoTarget);
  for (int64_t b = 0; b < B; ++b) {
    const int64_t lane = range_.begin + b;
    const int64_t count = std::clamp<int64_t>(layout_.LaneSize(lane) - first, 0, T);
    if (count == 0) continue;
    const int32_t* tokens = Tokens(lane, layout_.LaneBegin(lane) + first, count + 1);
    for (int64_t t = 0; t < count; ++t) {
      inputs_[t * B + b] = tokens[t];
      targets_[t * B + b] = tokens[t + 1];
    }
  }
  return {T, B, inputs_.data(), targets_.data()};
}

}  // namespace lockstep::trainer
