#ifndef LOCKSTEP_TESTS_WORKER_REFERENCE_ENCODER_DECODER_H_
#define LOCKSTEP_TESTS_WORKER_REFERENCE_ENCODER_DECODER_H_

#include <cstdint>
#include <vector>

#include "tests/worker/reference_stack.h"
#include "worker/layers/dropout.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::worker {

/// The encoder and decoder as its formulas read: plain loops, in double, an item after another. It
/// only runs forward: gradients of worker/ are compared with central differences of its loss.
class ReferenceEncoderDecoder {
 public:
  using Array = std::vector<double>;

  /// Copies the values of all parameters. `model` must outlive this.
  explicit ReferenceEncoderDecoder(const EncoderDecoder& model);

  /// Of all parameters, as the model has them one behind another; may be changed.
  Array& values() { return values_; }

  /// log softmax [V + 1] behind each of `inputs`, the tokens that come into the decoder, for the
  /// target item `item`. Without a site there is no dropout. `attended`, unless nullptr, takes the
  /// source's row with most attention for each.
  std::vector<Array> LogProbabilities(const PairBatch& batch, int64_t item,
                                      const std::vector<int32_t>& inputs, const DropoutSite* site,
                                      std::vector<int32_t>* attended = nullptr) const;

  /// The sum over the batch of -log p(target), for the inputs [R_target].
  double Loss(const PairBatch& batch, const std::vector<int32_t>& inputs,
              const DropoutSite* site) const;

  /// The inputs of a pass with scheduled sampling, which draws as EncoderDecoder::Forward says: by
  /// the Philox block of counter {t, lane, batch (low half), 8 << 28 | batch (high half)}.
  std::vector<int32_t> SampledInputs(const PairBatch& batch, const DropoutSite& site,
                                     double sampling) const;

 private:
  class Item;

  const EncoderDecoder& model_;
  Array values_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_REFERENCE_ENCODER_DECODER_H_
