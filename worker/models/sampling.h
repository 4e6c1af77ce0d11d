#ifndef LOCKSTEP_WORKER_MODELS_SAMPLING_H_
#define LOCKSTEP_WORKER_MODELS_SAMPLING_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lockstep::worker {

struct SamplingOptions {
  double temperature = 1.0;  ///< logits are divided by it; 0 always takes the likeliest token
  int64_t top_k = 0;         ///< only the k likeliest tokens; 0: all (Fan et al. 2018)
  uint64_t seed = 1;
  uint32_t text = 0;                               ///< the number of the text among those of a seed
  std::optional<int32_t> excluded = std::nullopt;  ///< never drawn: the unknown token
};

/// Draws a token from softmax(logits / temperature) for each of some texts: `logits` is [texts, V],
/// and row i is of text options.text + i. `index` numbers the draws of a text: the same seed, text
/// and index draw from the same random number. Among equal logits the lower id counts as the
/// likelier. Throws std::domain_error when a logit is NaN.
std::vector<int32_t> SampleTokens(int64_t texts, std::span<const float> logits,
                                  const SamplingOptions& options, uint64_t index);

/// The place where `uniform`, in [0, 1), falls on the probabilities softmax(x / temperature), laid
/// one behind another. temperature > 0; x has no NaN.
int32_t DrawFromSoftmax(std::span<const float> x, double temperature, double uniform);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_SAMPLING_H_
