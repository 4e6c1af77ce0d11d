#ifndef LOCKSTEP_TRAINER_COMMANDS_BENCHMARK_STEP_H_
#define LOCKSTEP_TRAINER_COMMANDS_BENCHMARK_STEP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/layers/stack.h"
#include "worker/models/language_model.h"
#include "worker/optimizers/optimizer.h"
#include "worker/products/gemm.h"

namespace lockstep::trainer {

// What `lockstep bench` and tests/bench/ measure: work of a training's shape, whose values mean
// nothing.

struct BenchmarkShape {
  worker::Cell cell = worker::Cell::kLstm;
  int layers = 2;
  int64_t hidden = 512, embedding = 512, vocabulary = 65, time_steps = 64, lanes = 64;
  double dropout = 0.0;

  int64_t tokens() const { return time_steps * lanes; }  ///< of a step
};

struct BenchmarkSeconds {
  double forward = 0.0, backward = 0.0, update = 0.0;
  double all() const { return forward + backward + update; }
};

/// Steps of a language model as a rank does them, with the state carried from one to the next: from
/// the embedding to clipping and Adam.
class BenchmarkStep {
 public:
  explicit BenchmarkStep(const BenchmarkShape& shape);

  BenchmarkSeconds Run();

  /// std::runtime_error where loss, gradient or weights of the last step are not numbers.
  void Check() const;

  int64_t parameters() const { return model_.parameters().size(); }

  /// Of the products of a step, a multiplication and an addition being two; what is pointwise is a
  /// hundredth of it.
  double Operations() const;

 private:
  const BenchmarkShape shape_;
  worker::LanguageModel model_;
  worker::Optimizer optimizer_;
  worker::RecurrentState state_;
  std::vector<int32_t> tokens_;
  uint64_t step_ = 0;
  double loss_ = 0.0, norm_ = 0.0;
};

/// Work that goes on, as a training's does, in its turn beside other work: `run` again and again
/// for kTurnSeconds, each time but the first told to `add`. The first one meets caches that are
/// full of what stood before it (a step of 128 lost 6% by that); it counts where it alone takes so
/// long.
constexpr double kTurnSeconds = 0.1;
template <class Run, class Add>
void TakeTurn(const Run& run, const Add& add) {
  auto taken = run();
  double spent = taken.all();
  if (spent >= kTurnSeconds) add(taken);
  while (spent < kTurnSeconds) {
    taken = run();
    spent += taken.all();
    add(taken);
  }
}

/// The recurrent layers alone, over vectors of the size of their units.
class BenchmarkLayers {
 public:
  explicit BenchmarkLayers(const BenchmarkShape& shape);

  /// A pass and its way back, the input's gradient included.
  BenchmarkSeconds Run();

 private:
  const BenchmarkShape shape_;
  worker::Parameters parameters_;
  worker::RecurrentStack stack_;
  worker::RecurrentState state_;
  std::vector<float> x_;
};

/// The product of a time step's hidden side, [lanes, H] by packed weights [H, g H].
class BenchmarkProduct {
 public:
  explicit BenchmarkProduct(const BenchmarkShape& shape);

  /// Operations a second, over about `seconds`; the packing is not counted.
  double Run(double seconds);

 private:
  const int64_t lanes_, hidden_, width_;
  std::vector<float> h_, weights_, product_;
  worker::PackedMatrix packed_;
};

/// Uniform in (-bound, bound), the same for the same seed.
std::vector<float> BenchmarkValues(int64_t count, float bound, uint32_t seed = 1);

/// std::runtime_error, which names `what`, where a value is not finite.
void RequireFinite(const char* what, double value);

/// What this program prints with these arguments, limited to an instruction set as
/// ONEDNN_MAX_CPU_ISA names it; to its end, so that no measurement begins before.
/// std::runtime_error where it fails. The arguments are a shell's words.
std::string OutputUnder(const std::string& set, const std::string& arguments);

/// The processor's own name for itself.
std::string CpuName();

double Median(std::vector<double> values);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_COMMANDS_BENCHMARK_STEP_H_
