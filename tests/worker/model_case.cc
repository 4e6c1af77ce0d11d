#include "tests/worker/model_case.h"

#include <algorithm>

namespace lockstep::worker {

float Taken(float x, Precision precision) {
  return precision == Precision::kBf16 ? RoundedToBfloat16(x) : x;
}

std::string ArithmeticName(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kFloat32       ? "Float32"
         : arithmetic == Arithmetic::kBf16Rounded ? "Bf16Rounded"
                                                  : "Bf16Instructions";
}

std::vector<float> UniformValues(std::mt19937& generator, size_t count, float bound) {
  std::vector<float> values(count);
  // Not std::uniform_real_distribution, whose values differ between standard libraries.
  for (float& value : values) {
    value = bound * (static_cast<float>(generator() >> 8) * 0x1.0p-23f - 1.0f);
  }
  return values;
}

ModelCase::ModelCase(const LanguageModelOptions& options, int64_t T, int64_t B,
                     uint32_t random_seed)
    : model(options), time_steps(T), lanes(B), initial_state(model.ZeroState(B)) {
  std::mt19937 generator(random_seed);
  const auto values = UniformValues(generator, model.parameters().values().size(), 0.7f);
  std::copy(values.begin(), values.end(), model.parameters().values().begin());
  initial_state.h = UniformValues(generator, initial_state.h.size(), 0.8f);
  initial_state.c = UniformValues(generator, initial_state.c.size(), 0.8f);
  const auto vocabulary = static_cast<uint32_t>(options.vocabulary_size);
  for (int64_t i = 0; i < T * B; ++i) {
    inputs.push_back(static_cast<int32_t>(generator() % vocabulary));
    targets.push_back(static_cast<int32_t>(generator() % vocabulary));
  }
  targets[targets.size() / 2] = -1;
}

ReferenceState ModelCase::InitialReferenceState() const {
  return {{initial_state.h.begin(), initial_state.h.end()},
          {initial_state.c.begin(), initial_state.c.end()}};
}

double ModelCase::Run(RecurrentState* final_state) {
  RecurrentState state = initial_state;
  std::ranges::fill(model.parameters().gradient(), 0.0f);
  const double loss = model.Forward(batch(), state, site);
  model.Backward(ready);
  if (final_state) *final_state = state;
  return loss;
}

std::string CellName(Cell cell) { return FactsOf(cell).name; }

}  // namespace lockstep::worker
