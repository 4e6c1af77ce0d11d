#ifndef LOCKSTEP_WORKER_MODELS_ENCODER_DECODER_H_
#define LOCKSTEP_WORKER_MODELS_ENCODER_DECODER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/layers/dropout.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/stack.h"
#include "worker/models/beam_search.h"
#include "worker/models/model.h"

namespace lockstep::worker {

/// What the decoder sees of a source, beside the initial state that it gets from it. c is the
/// encoder's final state of the last layer (both directions), or the source vector. The readout is
/// s, or with a context tanh(W [context; s]).
enum class Conditioning {
  kState,     ///< nothing more: Sutskever et al. 2014
  kContext,   ///< c is part of the input and of the readout of every step: Cho et al. 2014
  kBahdanau,  ///< additive attention of the state before the step, v^T tanh(W s + U h): Bahdanau et
              ///< al. 2015; its context is part of the step's input and readout
  kLuong,     ///< attention of the step's output, s^T W h ("general"): Luong et al. 2015
};

struct EncoderDecoderOptions {
  /// The source is tokens, or a vector: one of both is not 0.
  int64_t source_vocabulary_size = 0;
  int64_t source_vector_size = 0;  ///< with kState or kContext
  /// V. The model has one more token, number V: it begins and ends every target.
  int64_t target_vocabulary_size = 0;
  int64_t embedding_size = 64;  ///< E, of source and target tokens; 0 feeds one-hot vectors
  /// Of encoder and decoder; input_size is filled in by the model; `bidirectional` is the
  /// encoder's, the decoder always has one direction. `dropout` also drops on embedded tokens and
  /// on what the readout reads.
  StackOptions stack;
  Conditioning conditioning = Conditioning::kBahdanau;
  /// kLuong: tanh(W [context; s]) of the step before is part of a step's input; else of no effect.
  bool input_feeding = false;
  bool tie_embedding = false;  ///< target embedding and projection; needs E = H
  double label_smoothing = 0.0;
};

/// One batch, borrowed. Sources and targets are each sorted by their own lengths (PackedSteps).
struct PairBatch {
  PackedSteps source;                      ///< vectors: Uniform(1, B)
  const int32_t* source_tokens = nullptr;  ///< [R_source]
  const float* source_vectors = nullptr;   ///< [B, source_vector_size], in the order of targets
  PackedSteps target;                      ///< lengths + 1: the token that ends it counts
  const int32_t* inputs = nullptr;         ///< [R_target] V, then the target
  const int32_t* targets = nullptr;        ///< [R_target] the target, then V
  const int64_t* source_of = nullptr;      ///< [B] the item among the sources of a target's item
};

/// Sums over a batch: -log p(target) in nats, and the number of tokens, ends included.
struct PairSum {
  double loss = 0.0;
  double weight = 0.0;
};

/// A recurrent encoder and decoder: tokens or a vector to tokens. Initial states of the decoder are
/// tanh(Linear(final state of the encoder's same layer, both directions)), or of the vector; c of
/// an LSTM likewise without tanh. Masks of dropout depend on the number of an item, not on what
/// else is in the batch; site.lanes and first_lane number the targets' items. Parameters
/// "encoder.embedding.weight", "encoder.rnn.*", "initial.{h,c}_l*.{weight,bias}",
/// "decoder.embedding.weight", "decoder.rnn.*", "attention.{key.weight,query.weight,vector}",
/// "readout.weight", "projection.{weight,bias}". Dropout is on embedded tokens, in both stacks
/// behind every layer, and on the context that the readout reads.
class EncoderDecoder final : public Model {
 public:
  /// std::invalid_argument.
  explicit EncoderDecoder(const EncoderDecoderOptions& options,
                          Pass pass = Pass::kForwardAndBackward);
  ~EncoderDecoder() override;

  const EncoderDecoderOptions& options() const { return options_; }
  /// Indices of the embeddings, for pretrained vectors; -1: there is none.
  int source_embedding() const;
  int target_embedding() const;  ///< [V + 1, E]

  RecurrentState ZeroState(int64_t) const override { return {}; }

  /// The training pass with teacher forcing; keeps what Backward needs. With `sampling` above 0,
  /// each input but the first is with that probability the model's own likeliest token of the step
  /// before (scheduled sampling: Bengio et al. 2015), as a pure function of the site.
  PairSum Forward(const PairBatch& batch, const DropoutSite& site, double sampling = 0.0);
  void Backward(const GradientReady& ready = {}) override;
  /// Of `lanes` items with sources and targets of `time_steps` rows.
  int64_t WorkingBytes(int64_t time_steps, int64_t lanes) const override;

  /// No dropout, no gradient, teacher forcing. `correct`, unless nullptr, is the number of tokens
  /// that were the likeliest.
  PairSum Evaluate(const PairBatch& batch, double* correct = nullptr);

  /// Finds targets for the batch's sources; `target`, inputs, targets and source_of are not read
  /// and source_vectors are in the sources' order. Returns [B in the sources' order][nbest or
  /// fewer], the best first. `item_numbers` [B] are for drawing. Bit for bit the same for a source
  /// whatever beam rows stand beside it is not promised; up to rounding it is.
  std::vector<std::vector<Hypothesis>> Translate(const PairBatch& batch,
                                                 const SearchOptions& options,
                                                 const int64_t* item_numbers = nullptr);

 private:
  struct Parts;
  const EncoderDecoderOptions options_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_ENCODER_DECODER_H_
