#include "worker/models/initial_states.h"

#include <algorithm>
#include <string>

#include "worker/layers/tanh.h"

namespace lockstep::worker {

InitialStates::InitialStates(const StackOptions& encoder, int64_t vector_size,
                             Parameters& parameters)
    : encoder_(encoder),
      vector_size_(vector_size),
      h_summaries_(encoder.layers),
      c_summaries_(encoder.layers) {
  for (int layer = 0; layer < encoder.layers; ++layer) {
    const std::string suffix = "_l" + std::to_string(layer);
    h_.emplace_back(summary_size(), encoder.hidden_size, "initial.h" + suffix, parameters);
    if (has_c()) {
      c_.emplace_back(c_summary_size(), encoder.units(), "initial.c" + suffix, parameters);
    }
  }
}

// [B, D units] of the targets' items from [L D, B, units] of the sources'.
void InitialStates::Gather(const std::vector<float>& states, int layer, int64_t units,
                           float* summary) const {
  const int64_t H = units, D = encoder_.directions();
  for (int64_t item = 0; item < items_; ++item) {
    for (int64_t direction = 0; direction < D; ++direction) {
      std::copy_n(states.data() + ((layer * D + direction) * items_ + source_of_[item]) * H, H,
                  summary + (item * D + direction) * H);
    }
  }
}

void InitialStates::Scatter(const float* d_summary, int layer, int64_t units,
                            std::vector<float>& d_states) const {
  const int64_t H = units, D = encoder_.directions();
  for (int64_t item = 0; item < items_; ++item) {
    for (int64_t direction = 0; direction < D; ++direction) {
      std::copy_n(d_summary + (item * D + direction) * H, H,
                  d_states.data() + ((layer * D + direction) * items_ + source_of_[item]) * H);
    }
  }
}

void InitialStates::Make(int64_t items) {
  const int64_t L = encoder_.layers, H = encoder_.hidden_size, size = items * H;
  const int64_t c_size = items * encoder_.units();
  states_.layers = L;
  states_.lanes = items;
  states_.units = H;
  states_.h.resize(L * size);
  if (has_c()) states_.c.resize(L * c_size);
  for (int layer = 0; layer < L; ++layer) {
    const bool vectors = vector_size_ > 0;
    h_[layer].Forward(items, vectors ? vectors_ : h_summaries_[layer].data(),
                      states_.h.data() + layer * size);
    if (!has_c()) continue;
    c_[layer].Forward(items, vectors ? vectors_ : c_summaries_[layer].data(),
                      states_.c.data() + layer * c_size);
  }
  Tanh(L * size, states_.h.data());
}

void InitialStates::FromStates(const RecurrentState& final_state, const int64_t* source_of) {
  items_ = final_state.lanes;
  source_of_ = source_of;
  const int64_t size = items_ * summary_size();
  for (int layer = 0; layer < encoder_.layers; ++layer) {
    Gather(final_state.h, layer, encoder_.hidden_size, h_summaries_[layer].Require(size));
    if (!has_c()) continue;
    Gather(final_state.c, layer, encoder_.units(),
           c_summaries_[layer].Require(items_ * c_summary_size()));
  }
  Make(items_);
}

void InitialStates::FromVectors(int64_t items, const float* vectors) {
  items_ = items;
  vectors_ = vectors;
  Make(items);
}

const float* InitialStates::last_summary() const {
  return vector_size_ > 0 ? vectors_ : h_summaries_.back().data();
}

const RecurrentState& InitialStates::Backward(RecurrentState& d_states, const float* d_summary) {
  const int64_t size = items_ * encoder_.hidden_size, summary = items_ * summary_size();
  const int L = encoder_.layers;
  TanhBackward(L * size, states_.h.data(), d_states.h.data());
  const bool vectors = vector_size_ > 0;
  const int64_t c_summary = items_ * c_summary_size();
  float* d_part = vectors ? nullptr : d_part_.Require(std::max(summary, c_summary));
  if (!vectors) {
    d_final_.layers = L * encoder_.directions();
    d_final_.lanes = items_;
    d_final_.units = encoder_.hidden_size;
    d_final_.h.resize(L * summary);
    if (has_c()) d_final_.c.resize(L * c_summary);
  }
  for (int layer = L - 1; layer >= 0; --layer) {
    h_[layer].Backward(items_, vectors ? vectors_ : h_summaries_[layer].data(),
                       d_states.h.data() + layer * size, d_part);
    if (!vectors) {
      if (d_summary && layer + 1 == L) {
        for (int64_t i = 0; i < summary; ++i) d_part[i] += d_summary[i];
      }
      Scatter(d_part, layer, encoder_.hidden_size, d_final_.h);
    }
    if (!has_c()) continue;
    c_[layer].Backward(items_, vectors ? vectors_ : c_summaries_[layer].data(),
                       d_states.c.data() + layer * items_ * encoder_.units(), d_part);
    if (!vectors) Scatter(d_part, layer, encoder_.units(), d_final_.c);
  }
  return d_final_;
}

int64_t InitialStates::FloatsOfItem() const {
  const int64_t L = encoder_.layers;
  const int64_t states = encoder_.hidden_size + (has_c() ? encoder_.units() : 0);
  const int64_t summaries = summary_size() + (has_c() ? c_summary_size() : 0);
  return L * states + (vector_size_ > 0 ? 0 : 2 * L * summaries) +
         std::max(summary_size(), has_c() ? c_summary_size() : 0);
}

}  // namespace lockstep::worker
