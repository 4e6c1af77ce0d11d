#ifndef LOCKSTEP_WORKER_MODELS_DECODER_H_
#define LOCKSTEP_WORKER_MODELS_DECODER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/attention.h"
#include "worker/layers/dropout.h"
#include "worker/layers/output_layer.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/recurrent_state.h"
#include "worker/layers/stack.h"
#include "worker/models/decoder_input.h"
#include "worker/models/encoder_decoder.h"
#include "worker/models/readout.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// What a decoder sees of its sources; borrowed.
struct DecoderSource {
  PackedSteps steps;               ///< the sources' rows
  const float* outputs = nullptr;  ///< [R_s, C] with attention: what they are
  const float* summary = nullptr;  ///< [B, C] kContext: of each target's source
  const int64_t* source_of = nullptr;
};

/// The decoder's half of an EncoderDecoder: input, stack, attention, readout, projection.
/// Parameters "decoder.embedding.weight", "decoder.rnn.*", "attention.*", "readout.weight",
/// "projection.*". A pass goes over all time steps at once where no step's input needs the step
/// before, else one by one; dropout's layers are site.layer and those behind it.
class Decoder {
 public:
  /// C is `context_size`. `parameters` must outlive this.
  Decoder(const EncoderDecoderOptions& options, int64_t context_size, Parameters& parameters);

  /// Returns what the projection reads [R, H], from `initial` [L, B, H] on. `inputs` [R] and the
  /// source must live until Backward. Without a site there is no dropout. `sampling` as in
  /// EncoderDecoder::Forward, drawn at `site`.
  const float* Forward(const PackedSteps& steps, const int32_t* inputs, const DecoderSource& source,
                       const RecurrentState& initial, const DropoutSite* site, double sampling);
  OutputLayer& output() { return output_; }
  /// Room for the gradient of what Forward returned.
  float* d_readouts();

  /// Returns the gradient of the initial state, and writes that of the sources' outputs [R_s, C] to
  /// d_outputs (with attention) and of their summaries to d_summary().
  RecurrentState& Backward(float* d_outputs);
  /// [B, C]; nullptr but with kContext.
  const float* d_summary() const;

  /// For a search: packs the weights, and prepares the sources. source_of and summary's order are
  /// Step's.
  void BeginSearch(const DecoderSource& source);
  /// One time step of rows that are each at a place of its own: `tokens` [rows] come in, `state`
  /// [L, rows, H] moves on, `fed` [rows, H] is what the step before returned (zeros in the first
  /// one). Returns what the projection reads [rows, H]; lives until the next call.
  const float* SearchStep(int64_t rows, const int64_t* source_of, const int32_t* tokens,
                          const float* fed, RecurrentState& state);
  /// After SearchStep, with attention: the row of its source that row `row` saw most of.
  int64_t MostAttended(int64_t row) const { return attention_->MostAttended(row, row); }

  bool is_attentive() const { return attention_.has_value(); }
  bool feeds_input() const { return options_.input_feeding; }
  int embedding() const { return input_.embedding(); }

  /// Floats that a training pass over R rows, B items and sources of `source_rows` rows, none
  /// longer than `source_steps`, keeps.
  int64_t WorkingFloats(int64_t rows, int64_t items, int64_t source_rows,
                        int64_t source_steps) const;

 private:
  bool is(Conditioning conditioning) const { return options_.conditioning == conditioning; }
  DropoutSite SiteOf(uint32_t layer) const;
  void RepeatSummary();
  void SumSummaryGradient();
  const float* ForwardAllAtOnce();
  const float* ForwardSteps(double sampling);
  void Sample(int64_t t, double sampling);
  void BackwardAllAtOnce(float* d_outputs);
  void BackwardSteps(float* d_outputs);
  void BackwardStep(int64_t t);
  /// d_outputs_ of rows += d_queries_.
  void AddQueryGradient(int64_t row, int64_t rows, float* to) const;
  const float* readouts() const { return readout_ ? readouts_ : outputs_; }

  const EncoderDecoderOptions options_;
  const int64_t units_, context_size_;  // H, C
  DecoderInput input_;
  RecurrentStack stack_;
  std::optional<Attention> attention_;
  std::optional<Readout> readout_;
  OutputLayer output_;

  // Of the last Forward.
  PackedSteps steps_;
  DecoderSource source_;
  DropoutSite site_;
  bool has_site_ = false, stepwise_ = false;
  RecurrentState state_, d_state_;   // [L, B, H]
  std::vector<int32_t> chosen_;      // [R] with sampling: what came in
  const float* outputs_ = nullptr;   // [R, H] s
  const float* readouts_ = nullptr;  // [R, H]
  Buffer queries_, d_queries_;       // [R, H]
  Buffer contexts_;                  // [R, C]
  Buffer d_outputs_;                 // [R, H] stepwise
  Buffer d_fed_;                     // [B, H]
  Buffer d_summary_;                 // [B, C]
  Buffer drawn_;                     // [B, H] readouts of items whose input is sampled
  std::vector<int64_t> drawn_items_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_DECODER_H_
