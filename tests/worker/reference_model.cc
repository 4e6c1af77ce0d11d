#include "tests/worker/reference_model.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/worker/reference_stack.h"
#include "worker/philox.h"

namespace lockstep::worker {
namespace {

double Dot(int64_t size, const double* a, const double* b) {
  double sum = 0.0;
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

double ReferenceDropoutFactor(const DropoutSite& site, double probability, int64_t time_step,
                              int64_t lane, int64_t unit, int64_t units) {
  const int64_t blocks = (units + 3) / 4;
  const uint32_t purpose = 2u << 28 | site.layer << 16 | static_cast<uint32_t>(site.batch >> 32);
  const PhiloxCounter words = Philox(
      {static_cast<uint32_t>(time_step * blocks + unit % blocks),
       static_cast<uint32_t>(site.first_lane + lane), static_cast<uint32_t>(site.batch), purpose},
      SeedKey(site.seed));
  return words[unit / blocks] < std::round(probability * 4294967296.0) ? 0.0
                                                                       : 1.0 / (1.0 - probability);
}

double ReferenceTokenFactor(const DropoutSite& site, double probability, int32_t token) {
  if (probability == 0.0) return 1.0;
  const PhiloxCounter words =
      Philox({static_cast<uint32_t>(token), 0, static_cast<uint32_t>(site.batch),
              9u << 28 | static_cast<uint32_t>(site.batch >> 32)},
             SeedKey(site.seed));
  return words[0] < std::round(probability * 4294967296.0) ? 0.0 : 1.0 / (1.0 - probability);
}

ReferenceModel::ReferenceModel(const LanguageModelOptions& options, const Parameters& parameters)
    : options_(options) {
  for (const Parameter& parameter : parameters.list()) {
    const float* first = parameters.values().data() + parameter.offset;
    values_[parameter.name].assign(first, first + parameter.size);
  }
}

double ReferenceModel::LaneLoss(const Array& y, int32_t target) const {
  if (target < 0) return 0.0;
  const int64_t V = options_.vocabulary_size, H = options_.hidden_size;
  const Array& weights =
      values_.at(options_.tie_embedding ? "embedding.weight" : "projection.weight");
  Array logits = values_.at("projection.bias");
  for (int64_t v = 0; v < V; ++v) logits[v] += Dot(H, weights.data() + v * H, y.data());
  const double maximum = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0, mean = 0.0;
  for (const double logit : logits) sum += std::exp(logit - maximum);
  for (const double logit : logits) mean += logit / static_cast<double>(V);
  const double smoothing = options_.label_smoothing;
  return std::log(sum) + maximum - (1.0 - smoothing) * logits[target] - smoothing * mean;
}

ReferenceModel::Array ReferenceModel::Vector(int32_t token, const DropoutSite* site) const {
  const int64_t I = options_.embedding_size;
  if (I == 0) {
    Array x(options_.vocabulary_size, 0.0);
    x[token] = 1.0;
    return x;
  }
  const auto first = values_.at("embedding.weight").begin() + token * I;
  Array x(first, first + I);
  if (!site) return x;
  const double factor = ReferenceTokenFactor(*site, options_.embedding_dropout, token);
  for (double& value : x) value *= factor;
  return x;
}

void ReferenceModel::Drop(Array& x, double probability, const DropoutSite* site, int layer,
                          int64_t t, int64_t lane) const {
  if (!site || probability <= 0.0) return;
  DropoutSite own = *site;
  own.layer = static_cast<uint32_t>(layer);
  for (int64_t j = 0; j < std::ssize(x); ++j) {
    x[j] *= ReferenceDropoutFactor(own, probability, options_.locked_dropout ? 0 : t, lane, j,
                                   std::ssize(x));
  }
}

ReferenceModel::Sums ReferenceModel::Pass(const TokenBatch& batch, ReferenceState& state,
                                          const DropoutSite* site) const {
  const int64_t B = batch.lanes, H = options_.hidden_size;
  const int64_t units = options_.cell_size > 0 ? options_.cell_size : H;
  const int layers = options_.layers;
  ReferenceValues values = values_;
  for (int layer = 0; layer < layers && site && options_.weight_drop > 0.0; ++layer) {
    ReferenceDropWeights(*site, options_.weight_drop, static_cast<uint32_t>(layer), 0, H,
                         values.at("rnn.weight_hh_l" + std::to_string(layer)));
  }
  const auto square = [H](double x) { return x * x / static_cast<double>(H); };
  Sums sums;
  for (int64_t t = 0; t < batch.time_steps; ++t) {
    for (int64_t lane = 0; lane < B; ++lane) {
      const int32_t target = batch.targets[t * B + lane];
      Array x = Vector(batch.inputs[t * B + lane], site);
      Drop(x, options_.input_dropout, site, layers, t, lane);
      for (int layer = 0; layer < layers; ++layer) {
        double* h = state.h.data() + (layer * B + lane) * H;
        double* c = state.c.empty() ? nullptr : state.c.data() + (layer * B + lane) * units;
        const Array before(h, h + H), input = x;
        ReferenceCellStep(options_.cell, values, layer, x, h, c);
        x.assign(h, h + H);
        const bool last = layer + 1 == layers;
        for (int64_t j = 0; j < H && last && t > 0 && target >= 0; ++j) {
          sums.regularization +=
              options_.temporal_activation_regularization * square(h[j] - before[j]);
        }
        Drop(x, last ? options_.output_dropout.value_or(options_.dropout) : options_.dropout, site,
             layer, t, lane);
        for (int64_t j = 0; j < H && options_.residual && layer > 0; ++j) x[j] += input[j];
      }
      for (int64_t j = 0; j < H && target >= 0; ++j) {
        sums.regularization += options_.activation_regularization * square(x[j]);
      }
      sums.loss += LaneLoss(x, target);
    }
  }
  return sums;
}

}  // namespace lockstep::worker
