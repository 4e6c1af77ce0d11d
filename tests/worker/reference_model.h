#ifndef LOCKSTEP_TESTS_WORKER_REFERENCE_MODEL_H_
#define LOCKSTEP_TESTS_WORKER_REFERENCE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/worker/reference_cell.h"
#include "worker/layers/dropout.h"
#include "worker/models/language_model.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// The factor 0 or 1 / (1 - probability) that Dropout must put on one element, after the layout of
/// worker/layers/dropout.cc: with n = ceil(units / 4), unit u takes word u / n of the Philox block
/// whose counter is {t n + u mod n, global lane, batch (low half), purpose 2 << 28 | layer << 16 |
/// batch (high half)}; it is dropped where the word is below probability * 2^32.
double ReferenceDropoutFactor(const DropoutSite& site, double probability, int64_t time_step,
                              int64_t lane, int64_t unit, int64_t units);

/// The factor 0 or 1 / (1 - probability) that DropTokens must put on a token's vector: see
/// RandomPurpose for its 9.
double ReferenceTokenFactor(const DropoutSite& site, double probability, int32_t token);

/// The hidden state in double, as RecurrentState.
struct ReferenceState {
  std::vector<double> h, c;
};

/// The language model as its formulas read: plain loops, in double, nothing shared with worker/ but
/// the option structs and the Philox function. It only runs forward: gradients of worker/ are
/// compared with central differences of its loss.
class ReferenceModel {
 public:
  /// Copies the values of all parameters; looks them up by PyTorch's names.
  ReferenceModel(const LanguageModelOptions& options, const Parameters& parameters);

  /// The values of a parameter, which a test may change.
  std::vector<double>& value(const std::string& name) { return values_.at(name); }

  /// The sum of losses over the batch; moves `state` on. Without a site there is no dropout.
  double Loss(const TokenBatch& batch, ReferenceState& state, const DropoutSite* site) const {
    return Pass(batch, state, site).loss;
  }
  /// What the gradient is of: the same and the regularisation of activations.
  double Objective(const TokenBatch& batch, ReferenceState& state, const DropoutSite* site) const {
    const Sums sums = Pass(batch, state, site);
    return sums.loss + sums.regularization;
  }

 private:
  using Array = std::vector<double>;
  struct Sums {
    double loss = 0.0, regularization = 0.0;
  };

  Sums Pass(const TokenBatch& batch, ReferenceState& state, const DropoutSite* site) const;
  Array Vector(int32_t token, const DropoutSite* site) const;
  void Drop(Array& x, double probability, const DropoutSite* site, int layer, int64_t t,
            int64_t lane) const;

  double LaneLoss(const Array& y, int32_t target) const;

  const LanguageModelOptions options_;
  ReferenceValues values_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_REFERENCE_MODEL_H_
