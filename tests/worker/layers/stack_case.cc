#include "tests/worker/layers/stack_case.h"

#include <algorithm>
#include <random>

#include "tests/worker/model_case.h"
#include "tests/worker/reference_stack.h"

namespace lockstep::worker {
namespace {

// Copies the rows of one item: from [.., B, H] to [.., H].
template <class Values>
Values OfItem(const Values& all, int64_t items, int64_t units, int64_t item) {
  Values own;
  for (size_t at = item * units; at < all.size(); at += items * units) {
    own.insert(own.end(), all.begin() + at, all.begin() + at + units);
  }
  return own;
}

template <class Values>
Values RowsOfItem(const Values& rows, const PackedSteps& steps, int64_t width, int64_t item) {
  Values own;
  for (int64_t t = 0; t < steps.length(item); ++t) {
    const auto first = rows.begin() + (steps.first_row(t) + item) * width;
    own.insert(own.end(), first, first + width);
  }
  return own;
}

}  // namespace

StackCase::StackCase(const StackOptions& options_in, const std::vector<int64_t>& lengths)
    : options(options_in),
      steps(PackedSteps::OfLengths(lengths)),
      stack(options, "rnn.", parameters) {
  parameters.Allocate();
  std::mt19937 generator(1);
  std::ranges::copy(UniformValues(generator, parameters.size(), 0.5f), parameters.values().begin());
  x = UniformValues(generator, steps.rows() * options.input_size, 1.0f);
  d_output = UniformValues(generator, steps.rows() * options.output_size(), 1.0f);
  initial = d_final = stack.ZeroState(steps.items());
  for (RecurrentState* state : {&initial, &d_final}) {
    state->h = UniformValues(generator, state->h.size(), 0.8f);
    state->c = UniformValues(generator, state->c.size(), 0.8f);
  }
  Doubles();
}

void StackCase::Doubles() {
  values.assign(parameters.values().begin(), parameters.values().end());
  reference_x.assign(x.begin(), x.end());
  reference_h.assign(initial.h.begin(), initial.h.end());
  reference_c.assign(initial.c.begin(), initial.c.end());
}

StackPass StackCase::Run(const DropoutSite* site, RecurrentStack::Read read) {
  StackPass pass;
  pass.final_state = initial;
  pass.d_initial = initial;
  std::ranges::fill(parameters.gradient(), 0.0f);
  const float* y = stack.Forward(steps, {.x = x.data()}, pass.final_state, site, read);
  if (y) {
    pass.outputs.assign(y, y + d_output.size());
    std::ranges::copy(d_output, stack.d_output());
  }
  const float* d_x = stack.Backward({&d_final, &pass.d_initial});
  pass.d_x.assign(d_x, d_x + x.size());
  pass.gradient.assign(parameters.gradient().begin(), parameters.gradient().end());
  return pass;
}

StackPass StackCase::RunSteps(const DropoutSite* site) {
  const int64_t I = options.input_size, H = options.hidden_size;
  StackPass pass;
  pass.final_state = initial;
  pass.d_initial = initial;
  pass.d_x.resize(x.size());
  std::ranges::fill(parameters.gradient(), 0.0f);
  stack.BeginSteps(steps, pass.final_state, site);
  for (int64_t t = 0; t < steps.time_steps(); ++t) {
    const float* y = stack.Step(t, x.data() + steps.first_row(t) * I);
    pass.outputs.insert(pass.outputs.end(), y, y + steps.items_at(t) * H);
  }
  stack.BeginBackwardSteps({&d_final, &pass.d_initial});
  std::vector<float> d_y = d_output;
  for (int64_t t = steps.time_steps() - 1; t >= 0; --t) {
    const float* d_x = stack.BackwardStep(t, d_y.data() + steps.first_row(t) * H);
    std::copy_n(d_x, steps.items_at(t) * I, pass.d_x.begin() + steps.first_row(t) * I);
  }
  stack.FinishBackwardSteps();
  pass.gradient.assign(parameters.gradient().begin(), parameters.gradient().end());
  return pass;
}

double StackCase::ReferenceLoss(const DropoutSite* site, std::vector<double>* outputs,
                                std::vector<double>* final_h, std::vector<double>* final_c) const {
  const int64_t B = steps.items(), H = options.hidden_size, width = options.output_size();
  ReferenceStack reference(options);
  reference.SetParameters(parameters, values, site);
  if (outputs) outputs->resize(d_output.size());
  if (final_h) final_h->resize(reference_h.size());
  if (final_c) final_c->resize(reference_c.size());
  double loss = 0.0;
  for (int64_t item = 0; item < B; ++item) {
    auto h = OfItem(reference_h, B, H, item), c = OfItem(reference_c, B, options.units(), item);
    const auto y =
        reference.Run(RowsOfItem(reference_x, steps, options.input_size, item), h, c, site, item);
    for (int64_t i = 0; i < std::ssize(y); ++i) {
      const int64_t at = (steps.first_row(i / width) + item) * width + i % width;
      loss += y[i] * d_output[at];
      if (outputs) (*outputs)[at] = y[i];
    }
    for (int64_t i = 0; i < std::ssize(h); ++i) {
      const int64_t at = (i / H * B + item) * H + i % H;
      loss += h[i] * d_final.h[at];
      if (final_h) (*final_h)[at] = h[i];
    }
    for (int64_t i = 0; i < std::ssize(c); ++i) {
      const int64_t units = options.units(), at = (i / units * B + item) * units + i % units;
      loss += c[i] * d_final.c[at];
      if (final_c) (*final_c)[at] = c[i];
    }
  }
  return loss;
}

std::unique_ptr<StackCase> StackCase::Item(int64_t item) const {
  const int64_t B = steps.items(), H = options.hidden_size, units = options.units();
  auto own = std::make_unique<StackCase>(options, std::vector<int64_t>{steps.length(item)});
  std::ranges::copy(parameters.values(), own->parameters.values().begin());
  own->x = RowsOfItem(x, steps, options.input_size, item);
  own->d_output = RowsOfItem(d_output, steps, options.output_size(), item);
  own->initial.h = OfItem(initial.h, B, H, item);
  own->initial.c = OfItem(initial.c, B, units, item);
  own->d_final.h = OfItem(d_final.h, B, H, item);
  own->d_final.c = OfItem(d_final.c, B, units, item);
  own->Doubles();
  return own;
}

}  // namespace lockstep::worker
