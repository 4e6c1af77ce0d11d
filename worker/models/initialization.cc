#include "worker/models/initialization.h"

#include <cmath>
#include <numbers>

#include "worker/philox.h"

namespace lockstep::worker {
namespace {

PhiloxCounter Draw(uint64_t seed, size_t parameter, int64_t element) {
  return Philox({static_cast<uint32_t>(element), static_cast<uint32_t>(element >> 32),
                 static_cast<uint32_t>(parameter),
                 static_cast<uint32_t>(RandomPurpose::kInitialization) << 28},
                SeedKey(seed));
}

float Uniform(const PhiloxCounter& words, double bound) {
  return static_cast<float>((2.0 * UniformDouble(words[0], words[1]) - 1.0) * bound);
}

// Box and Muller 1958.
float Normal(const PhiloxCounter& words) {
  const double radius = std::sqrt(-2.0 * std::log1p(-UniformDouble(words[0], words[1])));
  const double angle = 2.0 * std::numbers::pi * UniformDouble(words[2], words[3]);
  return static_cast<float>(radius * std::cos(angle));
}

}  // namespace

void Initialize(LanguageModel& model, const InitializationOptions& options) {
  const LanguageModelOptions& shape = model.options();
  Parameters& parameters = model.parameters();
  const double bound = options.uniform > 0.0
                           ? options.uniform
                           : 1.0 / std::sqrt(static_cast<double>(shape.hidden_size));
  for (size_t index = 0; index < parameters.list().size(); ++index) {
    const Parameter& parameter = parameters.list()[index];
    const bool normal =
        parameter.name == "embedding.weight" && options.uniform <= 0.0 && !shape.tie_embedding;
    float* values = parameters.value(static_cast<int>(index));
    for (int64_t i = 0; i < parameter.size; ++i) {
      const PhiloxCounter words = Draw(options.seed, index, i);
      values[i] = normal ? Normal(words) : Uniform(words, bound);
    }
    const bool lstm_bias = shape.cell == Cell::kLstm && parameter.name.starts_with("rnn.bias_ih");
    if (lstm_bias && options.forget_gate_bias != 0.0) {
      const int64_t H = shape.hidden_size;
      for (int64_t i = H; i < 2 * H; ++i) values[i] += static_cast<float>(options.forget_gate_bias);
    }
  }
}

}  // namespace lockstep::worker
