#ifndef LOCKSTEP_TESTS_BENCH_MODEL_STEPS_H_
#define LOCKSTEP_TESTS_BENCH_MODEL_STEPS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "worker/layers/dropout.h"
#include "worker/models/model.h"
#include "worker/optimizers/optimizer.h"

namespace lockstep::worker {

// What the benches of models have in common: whole training steps (forward, backward, clip, Adam)
// on batches that are ready in memory, medians of all but the first two.

/// Numbers that the benches' partners in PyTorch draw, too (tests/bench/beside.py): Knuth's MMIX
/// generator, its high bits.
class Numbers {
 public:
  int64_t Below(int64_t bound) { return static_cast<int64_t>(Next() % bound); }
  double Fraction() { return static_cast<double>(Next()) / 2147483648.0; }

 private:
  uint64_t Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }
  uint64_t state_ = 1;
};

/// The sum of a batch's losses, and what their mean divides by.
struct BatchLoss {
  double sum = 0.0;
  double weight = 0.0;
};

class ModelSteps {
 public:
  /// Steps before those that count.
  static constexpr int kWarmUp = 2;

  /// Initialises the model, which must outlive this.
  explicit ModelSteps(Model& model);

  /// A step on a batch of so many `rows`. std::runtime_error where the loss is not finite.
  void Step(double rows, const std::function<BatchLoss(const DropoutSite& site)>& forward);

  /// Medians: rows a second; "median of 21 steps of 900 tokens 12.30 ms (forward ...), 73171
  /// tokens/s" for rows that are called `unit`.
  double rate() const;
  std::string Describe(const std::string& unit) const;

 private:
  enum Part { kForward, kBackward, kUpdate, kAll, kParts };

  Model& model_;
  Optimizer optimizer_;
  int64_t steps_ = 0;
  double rows_ = 0.0;                    // of all that count
  std::vector<double> seconds_[kParts];  // of each
  std::vector<double> rates_;
};

/// --threads and --turns.
void AddStepOptions(CLI::App& app, int& threads, int& turns);

/// "products: oneDNN gemm:jit x 12, ...".
std::string DescribeProducts();

/// The main function of a bench: parses, sets the threads (0: the default) and runs. `add` adds the
/// options.
int RunBench(int argc, char** argv, const std::string& name, const std::string& description,
             int& threads, const std::function<void(CLI::App&)>& add,
             const std::function<void()>& run);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_BENCH_MODEL_STEPS_H_
