#include "tests/worker/reference_encoder_decoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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

int64_t LaneOf(const DropoutSite& site, int64_t item) {
  return site.lanes ? site.lanes[item] : site.first_lane + item;
}

}  // namespace

ReferenceEncoderDecoder::ReferenceEncoderDecoder(const EncoderDecoder& model)
    : model_(model),
      options_(model.options()),
      values_(model.parameters().values().begin(), model.parameters().values().end()) {}

Array ReferenceEncoderDecoder::Value(const std::string& name) const {
  const Parameter& parameter = model_.parameters().list().at(model_.parameters().Find(name));
  const auto first = values_.begin() + parameter.offset;
  return {first, first + parameter.size};
}

Array ReferenceEncoderDecoder::Product(const std::string& weight, const Array& x,
                                       const std::string& bias) const {
  const Array w = Value(weight);
  const size_t rows = w.size() / x.size();
  Array y = bias.empty() ? Array(rows, 0.0) : Value(bias);
  for (size_t i = 0; i < rows; ++i) {
    y[i] += std::inner_product(x.begin(), x.end(), w.begin() + i * x.size(), 0.0);
  }
  return y;
}

Array ReferenceEncoderDecoder::Embedded(const std::string& embedding, int64_t vocabulary_size,
                                        int32_t token) const {
  if (options_.embedding_size == 0) {
    Array x(vocabulary_size, 0.0);
    x[token] = 1.0;
    return x;
  }
  const Array all = Value(embedding);
  const auto first = all.begin() + token * options_.embedding_size;
  return {first, first + options_.embedding_size};
}

void ReferenceEncoderDecoder::Drop(const DropoutSite* site, uint32_t layer, int64_t lane,
                                   int64_t time_step, Array& x) const {
  if (!site || options_.stack.dropout == 0.0) return;
  DropoutSite own = *site;
  own.layer = layer;
  own.first_lane = lane;
  const auto units = static_cast<int64_t>(x.size());
  for (int64_t i = 0; i < units; ++i) {
    x[i] *= ReferenceDropoutFactor(own, options_.stack.dropout, time_step, 0, i, units);
  }
}

ReferenceEncoderDecoder::Source ReferenceEncoderDecoder::Encode(const PairBatch& batch,
                                                                int64_t item,
                                                                const DropoutSite* site) const {
  const int64_t H = options_.stack.hidden_size, L = options_.stack.layers;
  Source source;
  const bool lstm = options_.stack.cell == Cell::kLstm;
  std::vector<Array> h_summaries(L), c_summaries(L);
  if (options_.source_vector_size > 0) {
    const float* first = batch.source_vectors + item * options_.source_vector_size;
    h_summaries.assign(L, Array(first, first + options_.source_vector_size));
    c_summaries = h_summaries;
  } else {
    const int64_t own = batch.source_of[item], D = options_.stack.directions();
    Array x;
    StackOptions stack = options_.stack;
    for (int64_t t = 0; t < batch.source.length(own); ++t) {
      const int32_t token = batch.source_tokens[batch.source.first_row(t) + own];
      Array row = Embedded("encoder.embedding.weight", options_.source_vocabulary_size, token);
      if (options_.embedding_size > 0) Drop(site, 0, site ? LaneOf(*site, item) : 0, t, row);
      stack.input_size = static_cast<int64_t>(row.size());
      x = Joined(x, row);
    }
    ReferenceStack encoder(stack);
    encoder.SetParameters(model_.parameters(), values_, "encoder.rnn.");
    DropoutSite own_site = site ? *site : DropoutSite{};
    own_site.layer = 1;
    Array h(L * D * H), c(lstm ? L * D * H : 0);
    const Array outputs = encoder.Run(x, h, c, site ? &own_site : nullptr, item);
    for (auto first = outputs.begin(); first != outputs.end(); first += D * H) {
      source.outputs.emplace_back(first, first + D * H);
    }
    for (int64_t layer = 0; layer < L; ++layer) {
      const auto part = [&](const Array& state) {
        return Array(state.begin() + layer * D * H, state.begin() + (layer + 1) * D * H);
      };
      h_summaries[layer] = part(h);
      if (lstm) c_summaries[layer] = part(c);
    }
  }
  for (int64_t layer = 0; layer < L; ++layer) {
    const std::string suffix = "_l" + std::to_string(layer);
    Array h = Product("initial.h" + suffix + ".weight", h_summaries[layer],
                      "initial.h" + suffix + ".bias");
    Tanh(h);
    source.h = Joined(source.h, h);
    if (!lstm) continue;
    source.c = Joined(source.c, Product("initial.c" + suffix + ".weight", c_summaries[layer],
                                        "initial.c" + suffix + ".bias"));
  }
  source.summary = h_summaries.back();
  return source;
}

Array ReferenceEncoderDecoder::Attend(const Array& query, const Source& source,
                                      int32_t* attended) const {
  Array scores;
  for (const Array& value : source.outputs) {
    const Array key = Product("attention.key.weight", value);
    if (options_.conditioning == Conditioning::kLuong) {
      scores.push_back(Dot(query, key));
      continue;
    }
    Array sum = Product("attention.query.weight", query);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += key[i];
    Tanh(sum);
    scores.push_back(Dot(Value("attention.vector"), sum));
  }
  *attended = static_cast<int32_t>(std::ranges::max_element(scores) - scores.begin());
  double total = 0.0;
  for (double& score : scores) total += score = std::exp(score);
  Array context(source.summary.size(), 0.0);
  for (size_t j = 0; j < scores.size(); ++j) {
    for (size_t i = 0; i < context.size(); ++i) {
      context[i] += scores[j] / total * source.outputs[j][i];
    }
  }
  return context;
}

std::vector<Array> ReferenceEncoderDecoder::LogProbabilities(const PairBatch& batch, int64_t item,
                                                             const std::vector<int32_t>& inputs,
                                                             const DropoutSite* site,
                                                             std::vector<int32_t>* attended) const {
  const auto is = [&](Conditioning c) { return options_.conditioning == c; };
  const int64_t H = options_.stack.hidden_size;
  const int64_t lane = site ? LaneOf(*site, item) : 0;
  const uint32_t L = options_.stack.layers;
  const uint32_t first_layer = options_.source_vector_size > 0 ? 0 : L + 1;
  Source source = Encode(batch, item, site);
  Array fed(H, 0.0);
  std::vector<Array> all;
  for (int64_t t = 0; t < std::ssize(inputs); ++t) {
    int32_t most = 0;
    Array x = Embedded("decoder.embedding.weight", options_.target_vocabulary_size + 1, inputs[t]);
    if (options_.embedding_size > 0) Drop(site, first_layer, lane, t, x);
    Array context = source.summary;
    if (is(Conditioning::kBahdanau)) {
      context = Attend(Array(source.h.end() - H, source.h.end()), source, &most);
    }
    if (is(Conditioning::kBahdanau) || is(Conditioning::kContext)) x = Joined(x, context);
    if (options_.input_feeding) x = Joined(x, fed);
    StackOptions stack = options_.stack;
    stack.bidirectional = false;
    stack.input_size = static_cast<int64_t>(x.size());
    ReferenceStack decoder(stack);
    decoder.SetParameters(model_.parameters(), values_, "decoder.rnn.");
    DropoutSite own = site ? *site : DropoutSite{};
    own.layer = first_layer + 1;
    const Array s = decoder.Run(x, source.h, source.c, site ? &own : nullptr, item, t);
    if (is(Conditioning::kLuong)) context = Attend(s, source, &most);
    Array readout = s;
    if (!is(Conditioning::kState)) {
      Drop(site, first_layer + 1 + L, lane, t, context);
      readout = Product("readout.weight", Joined(context, s));
      Tanh(readout);
    }
    fed = readout;
    Array logits =
        Product(options_.tie_embedding ? "decoder.embedding.weight" : "projection.weight", readout,
                "projection.bias");
    double sum = 0.0;
    for (const double logit : logits) sum += std::exp(logit);
    for (double& logit : logits) logit -= std::log(sum);
    all.push_back(logits);
    if (attended) attended->push_back(most);
  }
  return all;
}

double ReferenceEncoderDecoder::Loss(const PairBatch& batch, const std::vector<int32_t>& inputs,
                                     const DropoutSite* site) const {
  double loss = 0.0;
  for (int64_t item = 0; item < batch.target.items(); ++item) {
    std::vector<int32_t> own;
    for (int64_t t = 0; t < batch.target.length(item); ++t) {
      own.push_back(inputs[batch.target.first_row(t) + item]);
    }
    const std::vector<Array> rows = LogProbabilities(batch, item, own, site);
    for (int64_t t = 0; t < batch.target.length(item); ++t) {
      loss -= rows[t][batch.targets[batch.target.first_row(t) + item]];
    }
  }
  return loss;
}

std::vector<int32_t> ReferenceEncoderDecoder::SampledInputs(const PairBatch& batch,
                                                            const DropoutSite& site,
                                                            double sampling) const {
  std::vector<int32_t> inputs(batch.inputs, batch.inputs + batch.target.rows());
  for (int64_t item = 0; item < batch.target.items(); ++item) {
    std::vector<int32_t> own = {batch.inputs[item]};
    for (int64_t t = 1; t < batch.target.length(item); ++t) {
      const int64_t row = batch.target.first_row(t) + item;
      const PhiloxCounter words = Philox(
          {static_cast<uint32_t>(t), static_cast<uint32_t>(LaneOf(site, item)),
           static_cast<uint32_t>(site.batch), 8u << 28 | static_cast<uint32_t>(site.batch >> 32)},
          SeedKey(site.seed));
      if (UniformDouble(words[0], words[1]) < sampling) {
        const Array last = LogProbabilities(batch, item, own, &site).back();
        inputs[row] = static_cast<int32_t>(std::ranges::max_element(last) - last.begin());
      }
      own.push_back(inputs[row]);
    }
  }
  return inputs;
}

}  // namespace lockstep::worker
