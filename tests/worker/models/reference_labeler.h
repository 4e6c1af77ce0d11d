#ifndef LOCKSTEP_TESTS_WORKER_MODELS_REFERENCE_LABELER_H_
#define LOCKSTEP_TESTS_WORKER_MODELS_REFERENCE_LABELER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/worker/reference_stack.h"
#include "worker/models/sequence_labeler.h"

namespace lockstep::worker {

/// The labeler as its formulas read, one item after another: plain loops, in double. It only runs
/// forward: gradients of worker/ are compared with central differences of its loss.
class ReferenceLabeler {
 public:
  using Array = std::vector<double>;

  explicit ReferenceLabeler(const SequenceLabeler& model);

  /// All parameters one behind another, which a test may change.
  Array& values() { return values_; }

  /// Sums over the batch. Without a site there is neither dropout nor smoothing.
  LabelSum Loss(const LabelBatch& batch, const DropoutSite* site);

  struct Prediction {
    Array label_probabilities;  ///< [labels]
    std::vector<int32_t> tags;  ///< [n]
    Array tag_probabilities;    ///< [n]
  };
  Prediction Predict(const LabelBatch& batch, int64_t item);

 private:
  struct Logits {
    Array label;              // [labels]
    std::vector<Array> tags;  // [n][tags]
  };

  Logits Run(const LabelBatch& batch, int64_t item, const DropoutSite* site);
  Array Pool(const Array& outputs, const Array& h) const;
  double CrfScore(const std::vector<Array>& e, const std::vector<int32_t>& path) const;
  double CrfLoss(const std::vector<Array>& e, const std::vector<int32_t>& path) const;
  void PredictTags(const std::vector<Array>& logits, Prediction& prediction) const;

  const double* Value(const std::string& name) const;
  /// W x + b of the parameters `name`.weight and .bias.
  Array Linear(const std::string& name, const double* x, int64_t size) const;
  double Factor(const DropoutSite* site, int64_t item, int64_t layer, int64_t t, int64_t unit,
                int64_t units) const;

  const SequenceLabelerOptions& options_;
  const Parameters& parameters_;
  ReferenceStack stack_;
  Array values_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_MODELS_REFERENCE_LABELER_H_
