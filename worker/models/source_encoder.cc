#include "worker/models/source_encoder.h"

namespace lockstep::worker {
namespace {

StackOptions WithInput(StackOptions stack, int64_t input_size) {
  stack.input_size = input_size;
  return stack;
}

}  // namespace

SourceEncoder::SourceEncoder(int64_t vocabulary_size, int64_t embedding_size, StackOptions stack,
                             bool reads_outputs, Parameters& parameters)
    : input_(vocabulary_size, embedding_size, NormalDraw(), parameters, 0.0,
             "encoder.embedding.weight"),
      stack_(WithInput(stack, input_.size()), "encoder.rnn.", parameters),
      read_(reads_outputs ? RecurrentStack::Read::kOutputs : RecurrentStack::Read::kStateOnly) {}

const float* SourceEncoder::Forward(const PackedSteps& steps, const int32_t* tokens,
                                    const DropoutSite* site) {
  steps_ = steps;
  tokens_ = tokens;
  has_site_ = site != nullptr;
  if (site) site_ = *site;
  const bool drop = drops();
  StackInput input = input_.Forward(steps.rows(), tokens, !drop && input_.UsesTable(steps.rows()));
  if (drop) {
    const int64_t E = input_.size();
    float* dropped = dropped_.Require(steps.rows() * E);
    Dropout(site_, stack_.options().dropout, steps, E, input.x, dropped);
    input.x = dropped;
  }
  DropoutSite own = site_;
  own.layer += 1;
  state_ = stack_.ZeroState(steps.items());
  return stack_.Forward(steps, input, state_, site ? &own : nullptr, read_);
}

void SourceEncoder::Backward(const RecurrentState& d_final, const GradientReady& ready) {
  float* d_x = stack_.Backward({.final_state = &d_final}, true, ready);
  if (d_x && drops()) {
    Dropout(site_, stack_.options().dropout, steps_, input_.size(), d_x, d_x);
  }
  input_.Backward(steps_.rows(), tokens_, d_x);
}

int64_t SourceEncoder::FloatsOfRow() const {
  const int64_t E = input_.weight() >= 0 ? input_.size() : 0;
  return stack_.FloatsOfRow(2, true) + E * (stack_.options().dropout > 0.0 ? 2 : 1);
}

}  // namespace lockstep::worker
