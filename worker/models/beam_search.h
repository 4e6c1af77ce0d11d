#ifndef LOCKSTEP_WORKER_MODELS_BEAM_SEARCH_H_
#define LOCKSTEP_WORKER_MODELS_BEAM_SEARCH_H_

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::worker {

/// How targets are found.
struct SearchOptions {
  int beam = 1;   ///< 1: greedy
  int nbest = 1;  ///< at most `beam`; drawn: so many draws
  /// Hypotheses are compared by log p / ((5 + length) / 6)^alpha: Wu et al. 2016, eq. 14; 0: by
  /// log p. length counts the end. Not below 0.
  double length_penalty = 1.0;
  /// A target has at most factor x source length + constant tokens (vectors: the constant alone);
  /// what is as long as that ends there, with the log p of its end.
  double length_factor = 2.0;
  int64_t length_constant = 20;
  /// Above 0: drawn instead of searched for, from softmax(logits / temperature), as a pure function
  /// of (seed, number of the item, place).
  double temperature = 0.0;
  uint64_t seed = 1;
};

struct Hypothesis {
  std::vector<int32_t> tokens;  ///< without the end
  /// For each token the row of its item's source that had most attention; empty without attention.
  std::vector<int32_t> attended;
  double log_probability = 0.0;  ///< of the tokens and the end
  double score = 0.0;            ///< what it was compared by
};

/// What a search asks of a model: the next token's logits behind many beginnings ("rows") at a
/// time.
class SearchedModel {
 public:
  struct Answer {
    const float* logits = nullptr;      ///< [rows, classes]
    const int32_t* attended = nullptr;  ///< [rows] see Hypothesis; nullptr: no attention
  };

  virtual ~SearchedModel() = default;

  /// Row i goes on from row from[i] of the call before, and behind tokens[i]; in the first call it
  /// begins item from[i]. The answer lives until the next call.
  virtual Answer Next(std::span<const int64_t> from, std::span<const int32_t> tokens) = 0;
};

/// What is searched for.
struct SearchTask {
  int64_t classes = 0;                    ///< of the logits
  int32_t end = 0;                        ///< the token that begins and ends every target
  std::span<const int64_t> most_tokens;   ///< [items]
  const int64_t* item_numbers = nullptr;  ///< [items] for drawing; nullptr: 0, 1, ...
};

/// Returns [items][nbest or fewer], the best first. By beam: of all continuations of an item's
/// beginnings by one token the likeliest go on, `beam` of them less those that have ended; an item
/// is done when all have, or when none that goes on can still be among the nbest. A beam of all
/// that there is finds what is best. Work is done for rows that have not ended only.
/// std::domain_error when logits are not numbers.
std::vector<std::vector<Hypothesis>> Search(SearchedModel& model, const SearchTask& task,
                                            const SearchOptions& options);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_BEAM_SEARCH_H_
