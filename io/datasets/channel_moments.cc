#include "io/datasets/channel_moments.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep::io {

ChannelMoments::Moments ChannelMoments::OfBlock(const float* values, uint64_t rows,
                                                uint64_t row_width) {
  Moments block;
  block.least = std::numeric_limits<float>::infinity();
  block.most = -block.least;
  double sum = 0;
  for (uint64_t row = 0; row < rows; ++row) {
    const float value = values[row * row_width];
    if (std::isnan(value)) continue;
    sum += value;
    block.count += 1;
    block.least = std::min(block.least, value);
    block.most = std::max(block.most, value);
  }
  if (block.count == 0) return block;
  // Exactly the value where all are equal, which the sum's rounding may miss.
  block.mean = block.least == block.most ? block.least : sum / block.count;
  for (uint64_t row = 0; row < rows; ++row) {
    const float value = values[row * row_width];
    if (!std::isnan(value)) block.squares += (value - block.mean) * (value - block.mean);
  }
  return block;
}

void ChannelMoments::Add(const float* values, uint64_t rows, uint64_t row_width) {
  for (uint64_t channel = 0; channel < channels_.size(); ++channel) {
    Moments& all = channels_[channel];
    const Moments block = OfBlock(values + channel, rows, row_width);
    if (block.count == 0) continue;
    if (all.count == 0) {
      all = block;
      continue;
    }
    const double count = all.count + block.count;
    const double distance = block.mean - all.mean;
    all.mean += distance * (block.count / count);
    all.squares += block.squares + distance * distance * (all.count * block.count / count);
    all.count = count;
    all.least = std::min(all.least, block.least);
    all.most = std::max(all.most, block.most);
  }
}

double ChannelMoments::Deviation(uint64_t channel) const {
  const Moments& all = channels_[channel];
  if (all.count == 0 || all.least == all.most) return 1;
  return std::sqrt(all.squares / all.count);
}

}  // namespace lockstep::io
