#include "tests/bench/model_steps.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "worker/models/initialization.h"
#include "worker/optimizers/clip.h"
#include "worker/products/gemm.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

ModelSteps::ModelSteps(Model& model)
    : model_(model), optimizer_(AdamOptions{}, model.parameters().size()) {
  Initialize(model.parameters(), {});
}

void ModelSteps::Step(double rows,
                      const std::function<BatchLoss(const DropoutSite& site)>& forward) {
  using Clock = std::chrono::steady_clock;
  const auto gradient = model_.parameters().gradient();
  const auto start = Clock::now();
  const BatchLoss loss = forward({.seed = 1, .batch = static_cast<uint64_t>(steps_)});
  const auto forward_end = Clock::now();
  model_.parameters().ClearGradient();
  model_.Backward();
  const auto backward_end = Clock::now();
  const double norm = GlobalNorm(gradient) / loss.weight;
  optimizer_.Step(model_.parameters().values(), gradient, 1e-3,
                  {.factor = NormClipFactor(norm, 1.0) / loss.weight});
  const auto end = Clock::now();
  if (!std::isfinite(loss.sum / loss.weight)) {
    throw std::runtime_error(fmt::format("the loss is {}", loss.sum / loss.weight));
  }
  if (++steps_ <= kWarmUp) return;
  const std::chrono::duration<double> parts[kParts] = {
      forward_end - start, backward_end - forward_end, end - backward_end, end - start};
  for (int part = 0; part < kParts; ++part) seconds_[part].push_back(parts[part].count());
  rates_.push_back(rows / parts[kAll].count());
  rows_ += rows;
}

double ModelSteps::rate() const { return Median(rates_); }

std::string ModelSteps::Describe(const std::string& unit) const {
  const auto milliseconds = [&](Part part) { return Median(seconds_[part]) * 1e3; };
  return fmt::format(
      "median of {} steps of {:.0f} {} {:.2f} ms (forward {:.2f}, backward {:.2f}, update {:.2f}), "
      "{:.0f} {}/s",
      rates_.size(), rows_ / static_cast<double>(rates_.size()), unit, milliseconds(kAll),
      milliseconds(kForward), milliseconds(kBackward), milliseconds(kUpdate), rate(), unit);
}

void AddStepOptions(CLI::App& app, int& threads, int& turns) {
  app.add_option("--threads", threads, "0: OMP_NUM_THREADS, or every core")->capture_default_str();
  app.add_option("--turns", turns, "measured, after two that are not")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

std::string DescribeProducts() {
  std::vector<std::string> engines;
  for (const auto& [engine, count] : ProductEngines()) {
    engines.push_back(fmt::format("{} x {}", engine, count));
  }
  return fmt::format("products: {}", fmt::join(engines, ", "));
}

int RunBench(int argc, char** argv, const std::string& name, const std::string& description,
             int& threads, const std::function<void(CLI::App&)>& add,
             const std::function<void()>& run) {
  CLI::App app(description);
  add(app);
  CLI11_PARSE(app, argc, argv);
  if (threads == 0) threads = DefaultThreads();
  try {
    SetThreads(threads);
    run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", name, error.what());
    return 1;
  }
  return 0;
}

}  // namespace lockstep::worker
