#ifndef LOCKSTEP_TRAINER_DATA_UNKNOWN_SINGLETONS_H_
#define LOCKSTEP_TRAINER_DATA_UNKNOWN_SINGLETONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "worker/layers/dropout.h"
#include "worker/layers/packed_steps.h"

namespace lockstep::trainer {

/// Tokens that come once in what is trained on are now and then read as the unknown token, so that
/// a model learns what to make of words that it has never met, and still learns these: Lample et
/// al. 2016.
class UnknownSingletons {
 public:
  /// Replaces nothing.
  UnknownSingletons() = default;

  /// `singletons[id]`: whether the token comes once.
  UnknownSingletons(std::vector<bool> singletons, int32_t unknown, double probability);

  /// Reads the split once. UsageError where the field's vocabulary has no unknown token; io's
  /// errors.
  static UnknownSingletons Of(const io::SequenceDataset& dataset, const char* field,
                              const std::string& split, double probability);

  /// In a batch's rows of tokens [R], whose items are the site's lanes: see worker::DrawAt.
  void Replace(const worker::DropoutSite& site, const worker::PackedSteps& steps,
               std::vector<int32_t>& tokens) const;

 private:
  std::vector<bool> singletons_;
  int32_t unknown_ = 0;
  double probability_ = 0.0;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_UNKNOWN_SINGLETONS_H_
