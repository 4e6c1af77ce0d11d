#include "tests/worker/reference_stack.h"

#include <algorithm>
#include <string>

#include "tests/worker/reference_model.h"

namespace lockstep::worker {

void ReferenceStack::SetParameters(const Parameters& parameters, const Array& values,
                                   const std::string& prefix) {
  const int64_t directions = options_.directions();
  values_.assign(options_.layers * directions, {});
  for (int64_t part = 0; part < std::ssize(values_); ++part) {
    const std::string suffix =
        "_l" + std::to_string(part / directions) + (part % directions > 0 ? "_reverse" : "");
    for (const std::string kind : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
      const Parameter& parameter = parameters.list()[parameters.Find(prefix + kind + suffix)];
      const auto first = values.begin() + parameter.offset;
      values_[part]["rnn." + kind + "_l0"].assign(first, first + parameter.size);
    }
  }
}

ReferenceStack::Array ReferenceStack::RunDirection(int layer, int64_t direction, const Array& x,
                                                   double* h, double* c) const {
  const int64_t part = layer * options_.directions() + direction, H = options_.hidden_size;
  const int64_t I = layer > 0 ? options_.output_size() : options_.input_size;
  const int64_t n = std::ssize(x) / I;
  Array outputs(n * H);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t t = direction > 0 ? n - 1 - i : i;
    const Array row(x.begin() + t * I, x.begin() + (t + 1) * I);
    ReferenceCellStep(options_.cell, values_[part], 0, row, h + part * H, c + part * H);
    std::copy_n(h + part * H, H, outputs.begin() + t * H);
  }
  return outputs;
}

ReferenceStack::Array ReferenceStack::Run(const Array& x, Array& h, Array& c,
                                          const DropoutSite* site, int64_t item,
                                          int64_t first_time) const {
  const int64_t D = options_.directions(), H = options_.hidden_size;
  const int64_t n = std::ssize(x) / options_.input_size;
  Array input = x;
  for (int layer = 0; layer < options_.layers; ++layer) {
    Array output(n * D * H);
    for (int64_t direction = 0; direction < D; ++direction) {
      const Array part = RunDirection(layer, direction, input, h.data(), c.data());
      for (int64_t i = 0; i < n * H; ++i) {
        output[i / H * D * H + direction * H + i % H] = part[i];
      }
    }
    for (int64_t i = 0; i < n * D * H; ++i) {
      if (site && options_.dropout > 0.0) {
        DropoutSite own = *site;
        own.layer += static_cast<uint32_t>(layer);
        own.first_lane = site->lanes ? site->lanes[item] : site->first_lane + item;
        output[i] *= ReferenceDropoutFactor(own, options_.dropout, first_time + i / (D * H), 0,
                                            i % (D * H), D * H);
      }
      if (options_.residual && layer > 0) output[i] += input[i];
    }
    input = output;
  }
  return input;
}

}  // namespace lockstep::worker
