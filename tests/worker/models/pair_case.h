#ifndef LOCKSTEP_TESTS_WORKER_MODELS_PAIR_CASE_H_
#define LOCKSTEP_TESTS_WORKER_MODELS_PAIR_CASE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/worker/reference_encoder_decoder.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::worker {

/// A small model's options. `vector` instead of source tokens.
EncoderDecoderOptions SmallPairOptions(Conditioning conditioning, bool vector = false);

/// A model with random parameters and one batch of pairs of unequal lengths, whose sources and
/// targets stand in different orders.
struct PairCase {
  explicit PairCase(const EncoderDecoderOptions& options);

  PairBatch batch() const;
  /// The pair of target item `item` alone.
  PairBatch One(int64_t item);
  ReferenceEncoderDecoder Reference() const { return ReferenceEncoderDecoder(model); }

  /// One Forward and Backward into gradients that were zero.
  PairSum Run(double sampling = 0.0);

  EncoderDecoder model;
  PackedSteps source, target;
  std::vector<int32_t> source_tokens, inputs, targets;
  std::vector<float> source_vectors;
  std::vector<int64_t> source_of;
  /// Numbers of the items, which do not follow one another.
  std::vector<int64_t> lanes = {12, 3, 7, 100, 5};
  DropoutSite site;
  GradientReady ready;  ///< Run hands it on

 private:
  std::vector<int32_t> one_source_, one_inputs_, one_targets_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_MODELS_PAIR_CASE_H_
