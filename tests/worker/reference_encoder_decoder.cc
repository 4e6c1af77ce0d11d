#include "tests/worker/reference_encoder_decoder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "tests/worker/reference_model.h"
#include "worker/philox.h"

namespace lockstep::worker {
namespace {

using Array = ReferenceEncoderDecoder::Array;

double Dot(const Array& a, const Array& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

Array Joined(Array a, const Array& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void Tanh(Array& x) {
  for (double& value : x) value = std::tanh(value);
}

// The values of the parameters, by their names, and the stacks that have them.
struct Weights {
  Weights(const EncoderDecoder& model, const Array& values)
      : options(model.options()), encoder(Encoder(options)), decoder(Decoder(options)) {
    for (const Parameter& parameter : model.parameters().list()) {
      const auto first = values.begin() + parameter.offset;
      of[parameter.name].assign(first, first + parameter.size);
    }
    if (options.source_vector_size == 0) {
      encoder.SetParameters(model.parameters(), values, nullptr, "encoder.rnn.");
    }
    decoder.SetParameters(model.parameters(), values, nullptr, "decoder.rnn.");
  }

  static StackOptions Encoder(const EncoderDecoderOptions& options) {
    StackOptions stack = options.stack;
    stack.input_size =
        options.embedding_size > 0 ? options.embedding_size : options.source_vocabulary_size;
    return stack;
  }

  static StackOptions Decoder(const EncoderDecoderOptions& options) {
    StackOptions stack = options.stack;
    const int64_t context =
        options.source_vector_size > 0 ? options.source_vector_size : options.stack.output_size();
    stack.bidirectional = false;
    stack.input_size =
        options.embedding_size > 0 ? options.embedding_size : options.target_vocabulary_size + 1;
    if (options.conditioning == Conditioning::kContext ||
        options.conditioning == Conditioning::kBahdanau) {
      stack.input_size += context;
    }
    if (options.input_feeding) stack.input_size += stack.hidden_size;
    return stack;
  }

  // x W^T (+ b).
  Array Product(const std::string& weight, const Array& x, const std::string& bias = "") const {
    const Array& w = of.at(weight);
    const size_t rows = w.size() / x.size();
    Array y = bias.empty() ? Array(rows, 0.0) : of.at(bias);
    for (size_t i = 0; i < rows; ++i) {
      y[i] += std::inner_product(x.begin(), x.end(), w.begin() + i * x.size(), 0.0);
    }
    return y;
  }

  Array Embedded(const std::string& embedding, int64_t vocabulary_size, int32_t token) const {
    if (options.embedding_size == 0) {
      Array x(vocabulary_size, 0.0);
      x[token] = 1.0;
      return x;
    }
    const auto first = of.at(embedding).begin() + token * options.embedding_size;
    return {first, first + options.embedding_size};
  }

  const EncoderDecoderOptions& options;
  std::map<std::string, Array> of;
  ReferenceStack encoder, decoder;
};

}  // namespace

// One target's item as it goes through the model.
class ReferenceEncoderDecoder::Item {
 public:
  Item(const Weights& weights, const PairBatch& batch, int64_t item, const DropoutSite* site)
      : weights_(weights),
        options_(weights.options),
        item_(item),
        site_(site),
        lane_(!site         ? 0
              : site->lanes ? site->lanes[item]
                            : site->first_lane + item),
        first_layer_(options_.source_vector_size > 0 ? 0 : options_.stack.layers + 1),
        fed_(options_.stack.hidden_size, 0.0) {
    Encode(batch);
  }

  // The decoder's next step, behind `input`; log softmax.
  Array Step(int32_t input, int32_t* attended) {
    const int64_t H = options_.stack.hidden_size;
    Array x =
        weights_.Embedded("decoder.embedding.weight", options_.target_vocabulary_size + 1, input);
    if (options_.embedding_size > 0) Drop(first_layer_, time_, x);
    Array context = summary_;
    if (is(Conditioning::kBahdanau)) context = Attend(Array(h_.end() - H, h_.end()), attended);
    if (is(Conditioning::kBahdanau) || is(Conditioning::kContext)) x = Joined(x, context);
    if (options_.input_feeding) x = Joined(x, fed_);
    DropoutSite own = site_ ? *site_ : DropoutSite{};
    own.layer = first_layer_ + 1;
    const Array s = weights_.decoder.Run(x, h_, c_, site_ ? &own : nullptr, item_, false, time_);
    if (is(Conditioning::kLuong)) context = Attend(s, attended);
    Array readout = s;
    if (!is(Conditioning::kState)) {
      Drop(first_layer_ + 1 + options_.stack.layers, time_, context);
      readout = weights_.Product("readout.weight", Joined(context, s));
      Tanh(readout);
    }
    fed_ = readout;
    ++time_;
    Array logits =
        weights_.Product(options_.tie_embedding ? "decoder.embedding.weight" : "projection.weight",
                         readout, "projection.bias");
    double sum = 0.0;
    for (const double logit : logits) sum += std::exp(logit);
    for (double& logit : logits) logit -= std::log(sum);
    return logits;
  }

 private:
  bool is(Conditioning conditioning) const { return options_.conditioning == conditioning; }

  void Drop(uint32_t layer, int64_t time_step, Array& x) const {
    if (!site_ || options_.stack.dropout == 0.0) return;
    DropoutSite own = *site_;
    own.layer = layer;
    own.first_lane = lane_;
    const auto units = static_cast<int64_t>(x.size());
    for (int64_t i = 0; i < units; ++i) {
      x[i] *= ReferenceDropoutFactor(own, options_.stack.dropout, time_step, 0, i, units);
    }
  }

  void Encode(const PairBatch& batch) {
    const int64_t H = options_.stack.hidden_size, L = options_.stack.layers;
    const int64_t D = options_.stack.directions();
    const bool lstm = FactsOf(options_.stack.cell).has_c;
    const int64_t units = options_.stack.units();
    Array h(L * D * H), c(lstm ? L * D * units : 0);
    if (options_.source_vector_size == 0) ReadSource(batch, h, c);
    for (int64_t layer = 0; layer < L; ++layer) {
      const std::string suffix = "_l" + std::to_string(layer);
      const auto summary = [&](const Array& state, int64_t width) {
        const float* vector = batch.source_vectors + item_ * options_.source_vector_size;
        return options_.source_vector_size > 0 ? Array(vector, vector + options_.source_vector_size)
                                               : Array(state.begin() + layer * D * width,
                                                       state.begin() + (layer + 1) * D * width);
      };
      const auto initial = [&](const std::string& name, const Array& state, int64_t width) {
        return weights_.Product(name + suffix + ".weight", summary(state, width),
                                name + suffix + ".bias");
      };
      Array first = initial("initial.h", h, H);
      Tanh(first);
      h_ = Joined(h_, first);
      if (lstm) c_ = Joined(c_, initial("initial.c", c, units));
      summary_ = summary(h, H);
    }
  }

  void ReadSource(const PairBatch& batch, Array& h, Array& c) {
    const int64_t own = batch.source_of[item_];
    Array x;
    for (int64_t t = 0; t < batch.source.length(own); ++t) {
      const int32_t token = batch.source_tokens[batch.source.first_row(t) + own];
      Array row =
          weights_.Embedded("encoder.embedding.weight", options_.source_vocabulary_size, token);
      if (options_.embedding_size > 0) Drop(0, t, row);
      x = Joined(x, row);
    }
    DropoutSite own_site = site_ ? *site_ : DropoutSite{};
    own_site.layer = 1;
    const Array outputs = weights_.encoder.Run(x, h, c, site_ ? &own_site : nullptr, item_);
    const int64_t width = options_.stack.output_size();
    for (auto first = outputs.begin(); first != outputs.end(); first += width) {
      values_.emplace_back(first, first + width);
      if (is(Conditioning::kBahdanau) || is(Conditioning::kLuong)) {
        keys_.push_back(weights_.Product("attention.key.weight", values_.back()));
      }
    }
  }

  Array Attend(const Array& query, int32_t* attended) const {
    Array scores;
    for (const Array& key : keys_) {
      if (is(Conditioning::kLuong)) {
        scores.push_back(Dot(query, key));
        continue;
      }
      Array sum = weights_.Product("attention.query.weight", query);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += key[i];
      Tanh(sum);
      scores.push_back(Dot(weights_.of.at("attention.vector"), sum));
    }
    *attended = static_cast<int32_t>(std::ranges::max_element(scores) - scores.begin());
    double total = 0.0;
    for (double& score : scores) total += score = std::exp(score);
    Array context(summary_.size(), 0.0);
    for (size_t j = 0; j < scores.size(); ++j) {
      for (size_t i = 0; i < context.size(); ++i) {
        context[i] += scores[j] / total * values_[j][i];
      }
    }
    return context;
  }

  const Weights& weights_;
  const EncoderDecoderOptions& options_;
  const int64_t item_;
  const DropoutSite* const site_;
  const int64_t lane_;
  const uint32_t first_layer_;
  std::vector<Array> values_, keys_;  // [n] of [C] and of [A or H]
  Array h_, c_;                       // [L H]
  Array summary_, fed_;
  int64_t time_ = 0;
};

ReferenceEncoderDecoder::ReferenceEncoderDecoder(const EncoderDecoder& model)
    : model_(model),
      values_(model.parameters().values().begin(), model.parameters().values().end()) {}

std::vector<Array> ReferenceEncoderDecoder::LogProbabilities(const PairBatch& batch, int64_t item,
                                                             const std::vector<int32_t>& inputs,
                                                             const DropoutSite* site,
                                                             std::vector<int32_t>* attended) const {
  const Weights weights(model_, values_);
  Item of(weights, batch, item, site);
  std::vector<Array> all;
  for (const int32_t input : inputs) {
    int32_t most = 0;
    all.push_back(of.Step(input, &most));
    if (attended) attended->push_back(most);
  }
  return all;
}

double ReferenceEncoderDecoder::Loss(const PairBatch& batch, const std::vector<int32_t>& inputs,
                                     const DropoutSite* site) const {
  const Weights weights(model_, values_);
  double loss = 0.0;
  int32_t most;
  for (int64_t item = 0; item < batch.target.items(); ++item) {
    Item of(weights, batch, item, site);
    for (int64_t t = 0; t < batch.target.length(item); ++t) {
      const int64_t row = batch.target.first_row(t) + item;
      loss -= of.Step(inputs[row], &most)[batch.targets[row]];
    }
  }
  return loss;
}

std::vector<int32_t> ReferenceEncoderDecoder::SampledInputs(const PairBatch& batch,
                                                            const DropoutSite& site,
                                                            double sampling) const {
  const Weights weights(model_, values_);
  std::vector<int32_t> inputs(batch.inputs, batch.inputs + batch.target.rows());
  int32_t most;
  for (int64_t item = 0; item < batch.target.items(); ++item) {
    Item of(weights, batch, item, &site);
    const int64_t lane = site.lanes ? site.lanes[item] : site.first_lane + item;
    Array last = of.Step(inputs[item], &most);
    for (int64_t t = 1; t < batch.target.length(item); ++t) {
      const int64_t row = batch.target.first_row(t) + item;
      const PhiloxCounter words = Philox(
          {static_cast<uint32_t>(t), static_cast<uint32_t>(lane), static_cast<uint32_t>(site.batch),
           8u << 28 | static_cast<uint32_t>(site.batch >> 32)},
          SeedKey(site.seed));
      if (UniformDouble(words[0], words[1]) < sampling) {
        inputs[row] = static_cast<int32_t>(std::ranges::max_element(last) - last.begin());
      }
      last = of.Step(inputs[row], &most);
    }
  }
  return inputs;
}

}  // namespace lockstep::worker
