#include "worker/models/initialization.h"

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "worker/philox.h"

namespace lockstep::worker {
namespace {

PhiloxCounter Words(uint64_t seed, size_t parameter, int64_t element) {
  return Philox({static_cast<uint32_t>(element), static_cast<uint32_t>(element >> 32),
                 static_cast<uint32_t>(parameter),
                 static_cast<uint32_t>(RandomPurpose::kInitialization) << 28},
                SeedKey(seed));
}

float Uniform(const PhiloxCounter& words, double bound) {
  return static_cast<float>((2.0 * UniformDouble(words[0], words[1]) - 1.0) * bound);
}

// Box and Muller 1958.
float Normal(const PhiloxCounter& words, double deviation) {
  const double radius = std::sqrt(-2.0 * std::log1p(-UniformDouble(words[0], words[1])));
  const double angle = 2.0 * std::numbers::pi * UniformDouble(words[2], words[3]);
  return static_cast<float>(deviation * (radius * std::cos(angle)));
}

float Element(const Draw& draw, const PhiloxCounter& words) {
  switch (draw.kind) {
    case Draw::Kind::kZero:
      return 0.0f;
    case Draw::Kind::kOne:
      return 1.0f;
    case Draw::Kind::kUniform:
      return Uniform(words, draw.bound);
    case Draw::Kind::kNormal:
      return Normal(words, draw.bound);
  }
  throw std::logic_error("a draw that is not implemented");
}

Draw DrawOf(const Parameter& parameter, const InitializationOptions& options) {
  if (parameter.draw.kind == Draw::Kind::kOne) return parameter.draw;
  if (options.uniform > 0.0) return UniformDraw(options.uniform);
  if (options.normal > 0.0) return NormalDraw(options.normal);
  return parameter.draw;
}

}  // namespace

void Initialize(Parameters& parameters, const InitializationOptions& options) {
  for (size_t index = 0; index < parameters.list().size(); ++index) {
    const Parameter& parameter = parameters.list()[index];
    const Draw draw = DrawOf(parameter, options);
    float* values = parameters.value(static_cast<int>(index));
    for (int64_t i = 0; i < parameter.size; ++i) {
      values[i] = Element(draw, Words(options.seed, index, i));
    }
    if (options.forget_gate_bias == 0.0) continue;
    for (int64_t i = parameter.draw.forget_begin; i < parameter.draw.forget_end; ++i) {
      values[i] += static_cast<float>(options.forget_gate_bias);
    }
  }
}

}  // namespace lockstep::worker
