#ifndef LOCKSTEP_WORKER_MODELS_SAMPLING_H_
#define LOCKSTEP_WORKER_MODELS_SAMPLING_H_

#include <cstdint>
#include <optional>
#include <span>

namespace lockstep::worker {

struct SamplingOptions {
  double temperature = 1.0;  ///< logits are divided by it; 0 always takes the likeliest token
  int64_t top_k = 0;         ///< only the k likeliest tokens; 0: all (Fan et al. 2018)
  uint64_t seed = 1;
  std::optional<int32_t> excluded = std::nullopt;  ///< never drawn: the unknown token
};

/// Draws a token from softmax(logits / temperature). `index` numbers the draws of one text: the
/// same seed and index draw from the same random number. Among equal logits the lower id counts as
/// the likelier. Throws std::domain_error when a logit is NaN.
int32_t SampleToken(std::span<const float> logits, const SamplingOptions& options, uint64_t index);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_SAMPLING_H_
