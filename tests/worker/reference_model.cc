#include "tests/worker/reference_model.h"

#include <algorithm>
#include <cmath>

#include "worker/philox.h"

namespace lockstep::worker {
namespace {

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

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

const double* ReferenceModel::Weights(const char* kind, int layer) const {
  return values_.at(std::string("rnn.") + kind + "_l" + std::to_string(layer)).data();
}

// One time step of one lane: h and c [H] move on.
void ReferenceModel::LaneStep(int layer, const Array& x, double* h, double* c) const {
  const int64_t H = options_.hidden_size;
  const auto rows =
      static_cast<int64_t>(values_.at("rnn.bias_ih_l" + std::to_string(layer)).size());
  const int64_t size = static_cast<int64_t>(x.size());
  const double* weight_ih = Weights("weight_ih", layer);
  const double* weight_hh = Weights("weight_hh", layer);
  const double* bias_ih = Weights("bias_ih", layer);
  const double* bias_hh = Weights("bias_hh", layer);
  Array input_side(rows), hidden_side(rows);
  for (int64_t row = 0; row < rows; ++row) {
    input_side[row] = Dot(size, weight_ih + row * size, x.data()) + bias_ih[row];
    hidden_side[row] = Dot(H, weight_hh + row * H, h) + bias_hh[row];
  }
  switch (options_.cell) {
    case Cell::kRnnTanh:
      for (int64_t j = 0; j < H; ++j) h[j] = std::tanh(input_side[j] + hidden_side[j]);
      break;
    case Cell::kRnnRelu:
      for (int64_t j = 0; j < H; ++j) h[j] = std::max(0.0, input_side[j] + hidden_side[j]);
      break;
    case Cell::kLstm:
      LstmUnits(input_side, hidden_side, h, c);
      break;
    case Cell::kGru:
    case Cell::kGruResetBefore:
      GruUnits(layer, input_side, hidden_side, h);
      break;
  }
}

void ReferenceModel::LstmUnits(const Array& input_side, const Array& hidden_side, double* h,
                               double* c) const {
  const int64_t H = options_.hidden_size;
  for (int64_t j = 0; j < H; ++j) {
    const auto x = [&](int64_t gate) {
      return input_side[gate * H + j] + hidden_side[gate * H + j];
    };
    c[j] = Sigmoid(x(1)) * c[j] + Sigmoid(x(0)) * std::tanh(x(2));
    h[j] = Sigmoid(x(3)) * std::tanh(c[j]);
  }
}

void ReferenceModel::GruUnits(int layer, const Array& input_side, const Array& hidden_side,
                              double* h) const {
  const int64_t H = options_.hidden_size;
  Array r(H), z(H), reset(H), next(H);
  for (int64_t j = 0; j < H; ++j) {
    r[j] = Sigmoid(input_side[j] + hidden_side[j]);
    z[j] = Sigmoid(input_side[H + j] + hidden_side[H + j]);
    reset[j] = r[j] * h[j];
  }
  const double* weight_hn = Weights("weight_hh", layer) + 2 * H * H;
  const double* bias_hn = Weights("bias_hh", layer) + 2 * H;
  for (int64_t j = 0; j < H; ++j) {
    const double hidden = options_.cell == Cell::kGru
                              ? r[j] * hidden_side[2 * H + j]
                              : Dot(H, weight_hn + j * H, reset.data()) + bias_hn[j];
    const double n = std::tanh(input_side[2 * H + j] + hidden);
    next[j] = (1.0 - z[j]) * n + z[j] * h[j];
  }
  std::copy(next.begin(), next.end(), h);
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
        LaneStep(layer, x, h, c);
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
