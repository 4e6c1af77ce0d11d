#ifndef LOCKSTEP_TESTS_WORKER_MODEL_CASE_H_
#define LOCKSTEP_TESTS_WORKER_MODEL_CASE_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/worker/reference_model.h"
#include "worker/models/language_model.h"
#include "worker/products/bfloat16.h"
#include "worker/products/precision.h"

namespace lockstep::worker {

/// `count` values from U(-bound, bound), the same on every machine.
std::vector<float> UniformValues(std::mt19937& generator, size_t count, float bound);

/// An operand's element as products of this precision take it.
float Taken(float x, Precision precision = ProductPrecision());

/// The ways in which products are computed: bf16's are two (worker/products/bfloat16.h).
enum class Arithmetic { kFloat32, kBf16Rounded, kBf16Instructions };
std::string ArithmeticName(Arithmetic arithmetic);
constexpr Arithmetic kAllArithmetic[] = {Arithmetic::kFloat32, Arithmetic::kBf16Rounded,
                                         Arithmetic::kBf16Instructions};

/// While one lives, products are computed so. CanPlay: whether this machine can.
class ArithmeticScope {
 public:
  explicit ArithmeticScope(Arithmetic arithmetic)
      : precision_(arithmetic == Arithmetic::kFloat32 ? Precision::kFloat32 : Precision::kBf16) {
    UseBfloat16Instructions(CanPlay(arithmetic) && arithmetic == Arithmetic::kBf16Instructions);
  }
  ~ArithmeticScope() { UseBfloat16Instructions(before_); }
  ArithmeticScope(const ArithmeticScope&) = delete;
  ArithmeticScope& operator=(const ArithmeticScope&) = delete;

  static bool CanPlay(Arithmetic arithmetic) {
    return arithmetic != Arithmetic::kBf16Instructions || HasBfloat16Instructions();
  }

 private:
  const bool before_ = UsesBfloat16Instructions();
  const PrecisionScope precision_;
};

/// A model with random parameters and everything that one pass over it needs: a state that is not
/// zero, tokens, and targets of which one does not count.
struct ModelCase {
  ModelCase(const LanguageModelOptions& options, int64_t T, int64_t B, uint32_t random_seed = 1);

  TokenBatch batch() const { return {time_steps, lanes, inputs.data(), targets.data()}; }
  ReferenceState InitialReferenceState() const;
  ReferenceModel Reference() const { return {model.options(), model.parameters()}; }

  /// One Forward from the initial state and one Backward, into gradients that were zero. Returns
  /// the loss; `final_state`, unless nullptr, takes the state after it.
  double Run(RecurrentState* final_state = nullptr);

  LanguageModel model;
  int64_t time_steps, lanes;
  RecurrentState initial_state;
  std::vector<int32_t> inputs, targets;
  DropoutSite site{.seed = 0x123456789ABCDEF, .batch = 0x500000007, .first_lane = 2};
  GradientReady ready;  ///< Run hands it on
};

/// "LSTM" and the like, for names of tests.
std::string CellName(Cell cell);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_MODEL_CASE_H_
