#include "trainer/commands/benchmark_step.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>

#include "worker/models/initialization.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {
namespace {

template <class Work>
double SecondsOf(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

worker::LanguageModelOptions ModelOf(const BenchmarkShape& shape) {
  worker::LanguageModelOptions options;
  options.vocabulary_size = shape.vocabulary;
  options.embedding_size = shape.embedding;
  options.cell = shape.cell;
  options.layers = shape.layers;
  options.hidden_size = shape.hidden;
  options.dropout = shape.dropout;
  return options;
}

worker::StackOptions StackOf(const BenchmarkShape& shape) {
  worker::StackOptions options;
  options.cell = shape.cell;
  options.input_size = options.hidden_size = shape.hidden;
  options.layers = shape.layers;
  return options;
}

}  // namespace

BenchmarkStep::BenchmarkStep(const BenchmarkShape& shape)
    : shape_(shape),
      model_(ModelOf(shape)),
      optimizer_(worker::AdamOptions{}, model_.parameters().size()),
      state_(model_.ZeroState(shape.lanes)) {
  worker::Initialize(model_.parameters(), {});
  std::mt19937 generator(1);
  for (int64_t i = 0; i <= shape.tokens(); ++i) {
    tokens_.push_back(static_cast<int32_t>(generator() % shape.vocabulary));
  }
}

BenchmarkSeconds BenchmarkStep::Run() {
  const worker::TokenBatch batch{shape_.time_steps, shape_.lanes, tokens_.data(),
                                 tokens_.data() + 1};
  const auto gradient = model_.parameters().gradient();
  BenchmarkSeconds seconds;
  seconds.forward =
      SecondsOf([&] { loss_ = model_.Forward(batch, state_, {.seed = 1, .batch = step_++}); });
  seconds.backward = SecondsOf([&] {
    model_.parameters().ClearGradient();
    model_.Backward();
  });
  seconds.update = SecondsOf([&] {
    const double mean = 1.0 / static_cast<double>(shape_.tokens());
    norm_ = worker::GlobalNorm(gradient) * mean;
    optimizer_.Step(model_.parameters().values(), gradient, 1e-3,
                    {.factor = mean * worker::NormClipFactor(norm_, 1.0)});
  });
  return seconds;
}

void BenchmarkStep::Check() const {
  RequireFinite("the training step's loss", loss_);
  RequireFinite("the training step's gradient norm", norm_);
  RequireFinite("the norm of the weights", worker::GlobalNorm(model_.parameters().values()));
}

double BenchmarkStep::Operations() const {
  const auto rows = static_cast<double>(shape_.tokens());
  const auto width = static_cast<double>(worker::FactsOf(shape_.cell).gates * shape_.hidden);
  const auto hidden = static_cast<double>(shape_.hidden);
  const auto vocabulary = static_cast<double>(shape_.vocabulary);
  double products = rows * hidden * vocabulary;  // the projection
  for (int layer = 0; layer < shape_.layers; ++layer) {
    const bool table = layer == 0 && model_.UsesTable(shape_.time_steps, shape_.lanes);
    const auto inputs = static_cast<double>(layer == 0 ? shape_.embedding : shape_.hidden);
    products += rows * width * hidden + (table ? vocabulary : rows) * width * inputs;
  }
  return 3 * 2.0 * products;  // forward, and the gradients of both operands
}

BenchmarkLayers::BenchmarkLayers(const BenchmarkShape& shape)
    : shape_(shape), stack_(StackOf(shape), "rnn.", parameters_) {
  parameters_.Allocate();
  worker::Initialize(parameters_, {});
  state_ = stack_.ZeroState(shape.lanes);
  x_ = BenchmarkValues(shape.tokens() * shape.hidden, 1.0f);
}

BenchmarkSeconds BenchmarkLayers::Run() {
  const auto steps = worker::PackedSteps::Uniform(shape_.time_steps, shape_.lanes);
  parameters_.ClearGradient();
  BenchmarkSeconds seconds;
  seconds.forward = SecondsOf([&] { stack_.Forward(steps, {.x = x_.data()}, state_, nullptr); });
  seconds.backward = SecondsOf([&] {
    std::fill_n(stack_.d_output(), shape_.tokens() * shape_.hidden, 1e-3f);
    stack_.Backward();
  });
  return seconds;
}

BenchmarkProduct::BenchmarkProduct(const BenchmarkShape& shape)
    : lanes_(shape.lanes),
      hidden_(shape.hidden),
      width_(worker::FactsOf(shape.cell).gates * shape.hidden),
      h_(BenchmarkValues(lanes_ * hidden_, 1.0f)),
      weights_(BenchmarkValues(width_ * hidden_, 0.1f, 2)),
      product_(lanes_ * width_) {}

double BenchmarkProduct::Run(double seconds) {
  packed_.Pack(lanes_, width_, hidden_, hidden_, {weights_.data(), hidden_, true});
  double spent = 0.0;
  int64_t count = 0;
  for (; spent < seconds; ++count) {
    spent += SecondsOf([&] { packed_.Multiply(h_.data(), product_.data()); });
  }
  return 2.0 * static_cast<double>(count * lanes_ * hidden_ * width_) / spent;
}

std::vector<float> BenchmarkValues(int64_t count, float bound, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-bound, bound);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(generator);
  return values;
}

void RequireFinite(const char* what, double value) {
  if (!std::isfinite(value)) throw std::runtime_error(fmt::format("{} is {}", what, value));
}

std::string OutputUnder(const std::string& set, const std::string& arguments) {
  const std::string command =
      fmt::format("ONEDNN_MAX_CPU_ISA={} exec /proc/{}/exe {}", set, getpid(), arguments);
  FILE* out = popen(command.c_str(), "r");
  std::string text;
  char part[4096];
  for (size_t read = 0; out && (read = std::fread(part, 1, sizeof part, out)) > 0;) {
    text.append(part, read);
  }
  if (!out || pclose(out) != 0) {
    throw std::runtime_error(fmt::format("no figures under {}: the program failed there.", set));
  }
  return text;
}

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace lockstep::trainer
