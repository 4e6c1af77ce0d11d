#include "tests/worker/reference_model.h"

#include <algorithm>
#include <cmath>

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
  double sum = 0.0;
  for (const double logit : logits) sum += std::exp(logit - maximum);
  return std::log(sum) + maximum - logits[target];
}

double ReferenceModel::Loss(const TokenBatch& batch, ReferenceState& state,
                            const DropoutSite* site) const {
  const int64_t B = batch.lanes, H = options_.hidden_size, I = options_.embedding_size;
  double loss = 0.0;
  for (int64_t t = 0; t < batch.time_steps; ++t) {
    for (int64_t lane = 0; lane < B; ++lane) {
      const int32_t token = batch.inputs[t * B + lane];
      Array x(I > 0 ? I : options_.vocabulary_size, 0.0);
      if (I > 0) {
        const Array& table = values_.at("embedding.weight");
        std::copy_n(table.data() + token * I, I, x.data());
      } else {
        x[token] = 1.0;
      }
      for (int layer = 0; layer < options_.layers; ++layer) {
        double* h = state.h.data() + (layer * B + lane) * H;
        double* c = state.c.empty() ? nullptr : state.c.data() + (layer * B + lane) * H;
        ReferenceCellStep(options_.cell, values_, layer, x, h, c);
        x.assign(h, h + H);
        if (!site || options_.dropout <= 0.0) continue;
        DropoutSite own = *site;
        own.layer = static_cast<uint32_t>(layer);
        for (int64_t j = 0; j < H; ++j) {
          x[j] *= ReferenceDropoutFactor(own, options_.dropout, t, lane, j, H);
        }
      }
      loss += LaneLoss(x, batch.targets[t * B + lane]);
    }
  }
  return loss;
}

}  // namespace lockstep::worker
