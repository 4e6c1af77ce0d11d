#include "worker/models/encoder_decoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "worker/models/decoder.h"
#include "worker/models/decoder_search.h"
#include "worker/models/initial_states.h"
#include "worker/models/source_encoder.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

bool IsAttentive(Conditioning conditioning) {
  return conditioning == Conditioning::kBahdanau || conditioning == Conditioning::kLuong;
}

EncoderDecoderOptions Checked(EncoderDecoderOptions options) {
  const auto need = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
  };
  const bool vectors = options.source_vector_size > 0;
  need(vectors != (options.source_vocabulary_size > 0),
       "an encoder and decoder needs either a source vocabulary or a size of source vectors");
  need(options.target_vocabulary_size > 0, "an encoder and decoder needs a target vocabulary");
  need(!vectors || !IsAttentive(options.conditioning),
       "attention needs sources of several rows, not vectors");
  need(!options.tie_embedding || options.embedding_size == options.stack.hidden_size,
       "a tied embedding needs embedding_size = hidden_size");
  need(options.label_smoothing >= 0.0 && options.label_smoothing < 1.0,
       "label_smoothing is in [0, 1)");
  if (vectors) options.stack.bidirectional = false;
  options.input_feeding = options.input_feeding && options.conditioning == Conditioning::kLuong;
  return options;
}

}  // namespace

struct EncoderDecoder::Parts {
  Parts(const EncoderDecoderOptions& options, Parameters& parameters)
      : encoder(options.source_vocabulary_size > 0
                    ? std::optional<SourceEncoder>(std::in_place, options.source_vocabulary_size,
                                                   options.embedding_size, options.stack,
                                                   IsAttentive(options.conditioning), parameters)
                    : std::nullopt),
        initial(options.stack, options.source_vector_size, parameters),
        decoder(options, initial.summary_size(), parameters) {}

  // Runs the encoder; `source_of` says where the items' sources are.
  DecoderSource Encode(const PairBatch& batch, int64_t items, const int64_t* source_of,
                       const DropoutSite* site);

  // In this order they add their parameters.
  std::optional<SourceEncoder> encoder;  // none: vectors
  InitialStates initial;
  Decoder decoder;
  std::vector<int64_t> source_lanes;  // [B] numbers of the sources' items
};

// A source has the masks of its target's number.
DecoderSource EncoderDecoder::Parts::Encode(const PairBatch& batch, int64_t items,
                                            const int64_t* source_of, const DropoutSite* site) {
  DecoderSource source;
  source.source_of = source_of;
  source.steps = batch.source;
  if (encoder) {
    DropoutSite own;
    if (site) {
      own = *site;
      source_lanes.resize(items);
      for (int64_t i = 0; i < items; ++i) {
        source_lanes[source_of[i]] = site->lanes ? site->lanes[i] : site->first_lane + i;
      }
      own.first_lane = 0;
      own.lanes = source_lanes.data();
    }
    source.outputs = encoder->Forward(batch.source, batch.source_tokens, site ? &own : nullptr);
    initial.FromStates(encoder->final_state(), source_of);
  } else {
    initial.FromVectors(items, batch.source_vectors);
  }
  source.summary = initial.last_summary();
  return source;
}

EncoderDecoder::EncoderDecoder(const EncoderDecoderOptions& options, Pass pass)
    : options_(Checked(options)), parts_(std::make_unique<Parts>(options_, parameters_)) {
  Allocate(pass);
}

EncoderDecoder::~EncoderDecoder() = default;

int EncoderDecoder::source_embedding() const {
  return parts_->encoder ? parts_->encoder->embedding() : -1;
}

int EncoderDecoder::target_embedding() const { return parts_->decoder.embedding(); }

PairSum EncoderDecoder::Forward(const PairBatch& batch, const DropoutSite& site, double sampling) {
  const VaryingRows varying;
  DropoutSite own = site;
  own.layer = 0;
  const DecoderSource source = parts_->Encode(batch, batch.target.items(), batch.source_of, &own);
  own.layer = parts_->encoder ? parts_->encoder->sites() : 0;
  Decoder& decoder = parts_->decoder;
  const int64_t rows = batch.target.rows();
  const float* readouts =
      decoder.Forward(batch.target, batch.inputs, source, parts_->initial.states(), &own, sampling);
  PairSum sum;
  sum.loss = decoder.output().LossAndGradient(rows, readouts, batch.targets, decoder.d_readouts(),
                                              options_.label_smoothing);
  sum.weight = static_cast<double>(rows);
  return sum;
}

void EncoderDecoder::Backward(const GradientReady& ready) {
  const VaryingRows varying;
  std::optional<SourceEncoder>& encoder = parts_->encoder;
  Decoder& decoder = parts_->decoder;
  RecurrentState& d_initial =
      decoder.Backward(decoder.is_attentive() ? encoder->d_outputs() : nullptr);
  const RecurrentState& d_final = parts_->initial.Backward(d_initial, decoder.d_summary());
  if (encoder) encoder->Backward(d_final, ready);
}

PairSum EncoderDecoder::Evaluate(const PairBatch& batch, double* correct) {
  const VaryingRows varying;
  const DecoderSource source =
      parts_->Encode(batch, batch.target.items(), batch.source_of, nullptr);
  Decoder& decoder = parts_->decoder;
  const int64_t rows = batch.target.rows();
  const float* readouts =
      decoder.Forward(batch.target, batch.inputs, source, parts_->initial.states(), nullptr, 0.0);
  PairSum sum;
  sum.loss = decoder.output().Loss(rows, readouts, batch.targets, correct);
  sum.weight = static_cast<double>(rows);
  return sum;
}

std::vector<std::vector<Hypothesis>> EncoderDecoder::Translate(const PairBatch& batch,
                                                               const SearchOptions& options,
                                                               const int64_t* item_numbers) {
  const VaryingRows varying;
  const int64_t items = batch.source.items();
  std::vector<int64_t> source_of(items), most_tokens(items);
  std::iota(source_of.begin(), source_of.end(), 0);
  for (int64_t item = 0; item < items; ++item) {
    const double rows = parts_->encoder ? static_cast<double>(batch.source.length(item)) : 0.0;
    most_tokens[item] =
        options.length_constant + static_cast<int64_t>(std::floor(options.length_factor * rows));
  }
  Decoder& decoder = parts_->decoder;
  decoder.BeginSearch(parts_->Encode(batch, items, source_of.data(), nullptr));
  DecoderSearch model(decoder, parts_->initial.states());
  return Search(model,
                {.classes = options_.target_vocabulary_size + 1,
                 .end = static_cast<int32_t>(options_.target_vocabulary_size),
                 .most_tokens = most_tokens,
                 .item_numbers = item_numbers},
                options);
}

int64_t EncoderDecoder::WorkingBytes(int64_t time_steps, int64_t lanes) const {
  const int64_t rows = time_steps * lanes;
  int64_t floats = parts_->decoder.WorkingFloats(rows, lanes, rows, time_steps) +
                   lanes * parts_->initial.FloatsOfItem();
  if (parts_->encoder) {
    floats += rows * parts_->encoder->FloatsOfRow() + parts_->encoder->FloatsOfWeights();
  }
  return floats * static_cast<int64_t>(sizeof(float));
}

}  // namespace lockstep::worker
