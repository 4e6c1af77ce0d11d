#ifndef LOCKSTEP_TESTS_WORKER_MODELS_LABELER_CASE_H_
#define LOCKSTEP_TESTS_WORKER_MODELS_LABELER_CASE_H_

#include <cstdint>
#include <vector>

#include "worker/models/sequence_labeler.h"

namespace lockstep::worker {

/// A labeler with random parameters and a batch for it, one label and (without a CRF) one tag of
/// which do not count.
struct LabelerCase {
  LabelerCase(const SequenceLabelerOptions& options, const std::vector<int64_t>& lengths,
              uint32_t random_seed = 1);

  LabelBatch batch() const { return {steps, tokens.data(), labels.data(), tags.data()}; }
  /// The numbers of the items do not follow one another.
  DropoutSite site() const;

  /// One item alone, as a batch.
  struct Alone {
    LabelBatch batch() const { return {steps, tokens.data(), &label, tags.data()}; }
    DropoutSite site;
    PackedSteps steps;
    std::vector<int32_t> tokens, tags;
    int32_t label = 0;
  };
  Alone ItemAlone(int64_t item) const;

  /// One Forward and one Backward, into gradients that were zero.
  LabelSum Run();
  std::vector<double> Gradient() const;

  SequenceLabeler model;
  PackedSteps steps;
  std::vector<int32_t> tokens, labels, tags;
  std::vector<int64_t> numbers;
  GradientReady ready;  ///< Run hands it on
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_MODELS_LABELER_CASE_H_
