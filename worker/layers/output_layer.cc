#include "worker/layers/output_layer.h"

#include <algorithm>
#include <cmath>

#include "worker/losses/softmax_cross_entropy.h"
#include "worker/products/column_sum.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

// Logits that stand in memory at a time: 32 MB, but of no fewer rows than make it worth while that
// all of W streams through the caches for them.
constexpr int64_t kBlockFloats = int64_t{8} << 20;
constexpr int64_t kLeastRows = 128;

}  // namespace

OutputLayer::OutputLayer(int64_t vocabulary_size, int64_t hidden_size, int tied_weight,
                         Parameters& parameters, const std::string& name, bool bias)
    : vocabulary_size_(vocabulary_size), hidden_size_(hidden_size), parameters_(parameters) {
  const Draw draw = UniformDraw(1.0 / std::sqrt(static_cast<double>(hidden_size)));
  weight_ = tied_weight >= 0
                ? tied_weight
                : parameters.Add(name + ".weight", {vocabulary_size, hidden_size}, draw);
  bias_ = bias ? parameters.Add(name + ".bias", {vocabulary_size}, draw) : -1;
}

int64_t OutputLayer::BlockRows(int64_t rows) const {
  return std::min(std::max(kBlockFloats / vocabulary_size_, kLeastRows), rows);
}

const float* OutputLayer::Logits(int64_t rows, const float* y) {
  float* logits = logits_.Require(rows * vocabulary_size_);
  MatMul(rows, vocabulary_size_, hidden_size_, {y, hidden_size_},
         {parameters_.value(weight_), hidden_size_, true}, logits, vocabulary_size_, false, bias());
  return logits;
}

void OutputLayer::PackWeights() {
  packed_.PackForAnyRows(vocabulary_size_, hidden_size_, hidden_size_,
                         {parameters_.value(weight_), hidden_size_, true});
}

const float* OutputLayer::PackedLogits(int64_t rows, const float* y) {
  float* logits = logits_.Require(rows * vocabulary_size_);
  packed_.Multiply(rows, y, logits, false, bias());
  return logits;
}

int64_t OutputLayer::CountLikeliest(int64_t rows, const int32_t* targets) const {
  int64_t count = 0;
#pragma omp parallel for schedule(static) reduction(+ : count)
  for (int64_t row = 0; row < rows; ++row) {
    const float* logits = logits_.data() + row * vocabulary_size_;
    count += std::max_element(logits, logits + vocabulary_size_) - logits == targets[row];
  }
  return count;
}

template <class UseBlock>
double OutputLayer::OverBlocks(int64_t rows, const float* y, const int32_t* targets, bool gradient,
                               double label_smoothing, double* correct, const UseBlock& use_block) {
  const int64_t block = BlockRows(rows);
  double loss = 0.0;
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t count = std::min(block, rows - begin);
    const float* block_y = y + begin * hidden_size_;
    Logits(count, block_y);
    if (correct) *correct += static_cast<double>(CountLikeliest(count, targets + begin));
    loss += SoftmaxCrossEntropy(count, vocabulary_size_, targets + begin, logits_.data(), gradient,
                                {.label_smoothing = label_smoothing});
    use_block(begin, count, block_y);
  }
  return loss;
}

double OutputLayer::Loss(int64_t rows, const float* y, const int32_t* targets, double* correct) {
  if (correct) *correct = 0.0;
  return OverBlocks(rows, y, targets, false, 0.0, correct, [](int64_t, int64_t, const float*) {});
}

double OutputLayer::LossAndGradient(int64_t rows, const float* y, const int32_t* targets,
                                    float* d_y, double label_smoothing) {
  const int64_t V = vocabulary_size_, H = hidden_size_;
  return OverBlocks(
      rows, y, targets, true, label_smoothing, nullptr,
      [&](int64_t begin, int64_t count, const float* block) {
        const float* d_logits = logits_.data();
        MatMul(count, H, V, {d_logits, V}, {parameters_.value(weight_), H}, d_y + begin * H, H);
        MatMul(V, H, count, {d_logits, V, true}, {block, H}, parameters_.gradient(weight_), H,
               true);
        if (bias_ >= 0) AddColumnSums(count, V, d_logits, V, parameters_.gradient(bias_));
      });
}

}  // namespace lockstep::worker
