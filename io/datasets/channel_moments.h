#ifndef LOCKSTEP_IO_DATASETS_CHANNEL_MOMENTS_H_
#define LOCKSTEP_IO_DATASETS_CHANNEL_MOMENTS_H_

#include <cstdint>
#include <vector>

namespace lockstep::io {

/// Mean and deviation of the channels of rows that come in blocks. A block's own moments are
/// computed in two passes and merged into those of the blocks before (Chan, Golub, LeVeque 1983,
/// equations 2.1), so large means cost no digits. NaN is left out.
class ChannelMoments {
 public:
  explicit ChannelMoments(uint64_t channels) : channels_(channels) {}

  /// The first `channels` values of each of `rows` rows of `row_width` values.
  void Add(const float* values, uint64_t rows, uint64_t row_width);

  /// 0 without values.
  double Mean(uint64_t channel) const { return channels_[channel].mean; }
  /// Of the population (divided by n, not n - 1); 1 where all values are equal or there is none.
  double Deviation(uint64_t channel) const;

 private:
  struct Moments {
    double count = 0;
    double mean = 0;
    double squares = 0;  ///< sum of the squared distances from the mean
    float least = 0;
    float most = 0;
  };
  static Moments OfBlock(const float* values, uint64_t rows, uint64_t row_width);

  std::vector<Moments> channels_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_CHANNEL_MOMENTS_H_
