#ifndef LOCKSTEP_WORKER_PARAMETERS_H_
#define LOCKSTEP_WORKER_PARAMETERS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "worker/buffer.h"

namespace lockstep::worker {

/// How the elements of a parameter are drawn before the training.
struct Draw {
  enum class Kind { kZero, kOne, kUniform, kNormal };
  Kind kind = Kind::kZero;
  double bound = 0.0;  ///< kUniform: U(-bound, bound); kNormal: N(0, bound), the deviation
  int64_t forget_begin = 0, forget_end = 0;  ///< elements of a forget gate's bias, [begin, end)
};
inline Draw UniformDraw(double bound) { return {.kind = Draw::Kind::kUniform, .bound = bound}; }
/// All 1, however the others are drawn: gains.
inline Draw OneDraw() { return {.kind = Draw::Kind::kOne}; }
inline Draw NormalDraw(double deviation = 1.0) {
  return {.kind = Draw::Kind::kNormal, .bound = deviation};
}

/// A named view into the flat parameter buffer.
struct Parameter {
  std::string name;            ///< PyTorch's: "rnn.weight_ih_l0"
  std::vector<int64_t> shape;  ///< PyTorch's: [4H, I]
  int64_t offset = 0;          ///< in floats, from the start of the flat buffer
  int64_t size = 0;            ///< product of the shape
  Draw draw;                   ///< see worker/models/initialization.h
};

/// Elements [begin, end) of a flat buffer.
struct ParameterRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// Told during a way back that the flat gradient is final from `offset` on: nothing adds to it any
/// more, so that it may be summed over ranks while what is in front of it is still computed. The
/// offset never rises from call to call. Called by the thread that computes; may be empty.
using GradientReady = std::function<void(int64_t offset)>;

/// The parameters of a model: one flat float buffer, a second one of the same layout for their
/// gradient, and names. Add everything first, then Allocate; views hold from then on.
class Parameters {
 public:
  /// Appends a parameter and returns its index. Only before Allocate.
  int Add(std::string name, std::vector<int64_t> shape, Draw draw = {});

  /// Makes the buffer of the values and, where it is needed, that of the gradient, all zero.
  void Allocate(bool with_gradient = true);

  int64_t size() const { return size_; }
  const std::vector<Parameter>& list() const { return list_; }

  std::span<float> values() { return {values_.data(), static_cast<size_t>(size_)}; }
  std::span<const float> values() const { return {values_.data(), static_cast<size_t>(size_)}; }
  /// Empty where it was not allocated.
  std::span<float> gradient() { return {gradient_.data(), gradient_.capacity()}; }
  std::span<const float> gradient() const { return {gradient_.data(), gradient_.capacity()}; }

  /// Values and gradient of the parameter at `index`.
  float* value(int index) { return values_.data() + list_[index].offset; }
  const float* value(int index) const { return values_.data() + list_[index].offset; }
  float* gradient(int index) { return gradient_.data() + list_[index].offset; }

  /// Makes the gradient zero, on all threads.
  void ClearGradient();

  /// -1 when there is none of this name.
  int Find(const std::string& name) const;

 private:
  std::vector<Parameter> list_;
  int64_t size_ = 0;
  Buffer values_, gradient_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PARAMETERS_H_
