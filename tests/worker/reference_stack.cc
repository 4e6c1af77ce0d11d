#include "tests/worker/reference_stack.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/worker/reference_model.h"
#include "worker/philox.h"

namespace lockstep::worker {

void ReferenceDropWeights(const DropoutSite& site, double probability, uint32_t layer,
                          uint32_t part, int64_t units, std::vector<double>& weights) {
  const int64_t blocks = (units + 3) / 4;
  const uint32_t purpose =
      6u << 28 | (site.layer + layer) << 16 | static_cast<uint32_t>(site.batch >> 32);
  for (int64_t i = 0; i < std::ssize(weights); ++i) {
    const int64_t row = i / units, unit = i % units;
    const PhiloxCounter words = Philox({static_cast<uint32_t>(row * blocks + unit % blocks), part,
                                        static_cast<uint32_t>(site.batch), purpose},
                                       SeedKey(site.seed));
    const bool drops = words[unit / blocks] < std::round(probability * 4294967296.0);
    weights[i] *= drops ? 0.0 : 1.0 / (1.0 - probability);
  }
}

void ReferenceStack::SetParameters(const Parameters& parameters, const Array& values,
                                   const DropoutSite* site, const std::string& prefix) {
  const int64_t directions = options_.directions();
  values_.assign(options_.layers * directions, {});
  for (int64_t part = 0; part < std::ssize(values_); ++part) {
    const std::string suffix =
        "_l" + std::to_string(part / directions) + (part % directions > 0 ? "_reverse" : "");
    for (const std::string kind :
         {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "peephole", "weight_hr", "layer_norm_ih",
          "layer_norm_hh", "layer_norm_c", "layer_norm_c_bias"}) {
      const int index = parameters.Find(prefix + kind + suffix);
      if (index < 0) continue;
      const Parameter& parameter = parameters.list()[index];
      const auto first = values.begin() + parameter.offset;
      values_[part]["rnn." + kind + "_l0"].assign(first, first + parameter.size);
    }
    if (site && options_.weight_drop > 0.0) {
      ReferenceDropWeights(*site, options_.weight_drop, static_cast<uint32_t>(part / directions),
                           static_cast<uint32_t>(part % directions), options_.hidden_size,
                           values_[part]["rnn.weight_hh_l0"]);
    }
  }
}

ReferenceStack::Array ReferenceStack::RunDirection(int layer, int64_t direction, const Array& x,
                                                   double* h, double* c) const {
  const int64_t part = layer * options_.directions() + direction, H = options_.hidden_size;
  double* own_c = c + part * options_.units();
  const int64_t I = layer > 0 ? options_.output_size() : options_.input_size;
  const int64_t n = std::ssize(x) / I;
  Array outputs(n * H);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t t = direction > 0 ? n - 1 - i : i;
    const Array row(x.begin() + t * I, x.begin() + (t + 1) * I);
    ReferenceCellStep(options_.cell, values_[part], 0, row, h + part * H, own_c);
    std::copy_n(h + part * H, H, outputs.begin() + t * H);
  }
  return outputs;
}

void ReferenceStack::DropOn(Array& x, double probability, int64_t width, const DropoutSite* site,
                            int layer, int64_t item, int64_t first_time) const {
  if (!site || probability == 0.0) return;
  DropoutSite own = *site;
  own.layer += static_cast<uint32_t>(layer);
  own.first_lane = site->lanes ? site->lanes[item] : site->first_lane + item;
  for (int64_t i = 0; i < std::ssize(x); ++i) {
    const int64_t t = options_.locked_dropout ? 0 : first_time + i / width;
    x[i] *= ReferenceDropoutFactor(own, probability, t, 0, i % width, width);
  }
}

ReferenceStack::Array ReferenceStack::Run(const Array& x, Array& h, Array& c,
                                          const DropoutSite* site, int64_t item, bool plain_outputs,
                                          int64_t first_time) const {
  const int64_t D = options_.directions(), H = options_.hidden_size;
  const int64_t n = std::ssize(x) / options_.input_size;
  Array input = x;
  DropOn(input, options_.input_dropout, options_.input_size, site, options_.layers, item,
         first_time);
  for (int layer = 0; layer < options_.layers; ++layer) {
    Array output(n * D * H);
    for (int64_t direction = 0; direction < D; ++direction) {
      const Array part = RunDirection(layer, direction, input, h.data(), c.data());
      for (int64_t i = 0; i < n * H; ++i) {
        output[i / H * D * H + direction * H + i % H] = part[i];
      }
    }
    const bool last = layer + 1 == options_.layers;
    if (!(last && plain_outputs)) {
      DropOn(output, options_.dropout_after(layer), D * H, site, layer, item, first_time);
    }
    for (int64_t i = 0; i < n * D * H && options_.residual && layer > 0; ++i) {
      output[i] += input[i];
    }
    input = output;
  }
  return input;
}

}  // namespace lockstep::worker
