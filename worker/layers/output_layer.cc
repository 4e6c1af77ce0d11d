#include "worker/layers/output_layer.h"

#include <algorithm>
#include <cmath>

#include <omp.h>

#include "worker/layers/pooling_kernels.h"
#include "worker/losses/softmax_cross_entropy.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

// Of one size.
int64_t RowsOfBlocks(int64_t rows, int64_t blocks) { return (rows - 1) / blocks + 1; }

// Where W is packed once for all blocks: no more rows than products by panels want, since logits
// stay nearer so; less than twice as many in two or more blocks.
constexpr int64_t kPackedRows = 512;

// Where W is not: 64 MB of logits at a time, or as much as W where that is more, so that it is
// worth while that all of W is packed for each block; of 128 to 512 rows.
int64_t MostRows(int64_t rows, int64_t classes, int64_t hidden_size) {
  constexpr int64_t kFloats = int64_t{16} << 20;
  const int64_t least = std::clamp<int64_t>(hidden_size, 128, 512);
  return std::min(std::max(kFloats / classes, least), rows);
}

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

OutputLayer::Blocks OutputLayer::BlocksOf(int64_t rows) const {
  if (rows == 0) return {0, false};
  const int64_t V = vocabulary_size_, H = hidden_size_, most = MostRows(rows, V, H);
  if (most < rows && rows >= 2 * kPackedRows && PaysToPack(kPackedRows, V, H)) {
    return {RowsOfBlocks(rows, rows / kPackedRows), true};
  }
  return {RowsOfBlocks(rows, (rows - 1) / most + 1), false};
}

int64_t OutputLayer::WorkingFloats(int64_t rows) const {
  const int64_t V = vocabulary_size_, most = MostRows(rows, V, hidden_size_);
  if (!BlocksOf(rows).packs) return most * V;
  const int64_t of_few = std::min(most, 2 * kPackedRows - 1);
  const int64_t of_many = 3 * kPackedRows / 2;  // two blocks of almost three
  return std::max(of_few, of_many + 2 * hidden_size_) * V;
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
double OutputLayer::OverBlocks(const Blocks& blocks, int64_t rows, const float* y,
                               const int32_t* targets, bool gradient, double label_smoothing,
                               double* correct, const UseBlock& use_block) {
  const auto [block, packs] = blocks;
  if (packs) PackWeights();
  double loss = 0.0;
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t count = std::min(block, rows - begin);
    const float* block_y = y + begin * hidden_size_;
    packs ? PackedLogits(count, block_y) : Logits(count, block_y);
    if (correct) *correct += static_cast<double>(CountLikeliest(count, targets + begin));
    loss += SoftmaxCrossEntropy(count, vocabulary_size_, targets + begin, logits_.data(), gradient,
                                {.label_smoothing = label_smoothing});
    use_block(begin, count, block_y);
  }
  return loss;
}

double OutputLayer::Loss(int64_t rows, const float* y, const int32_t* targets, double* correct) {
  if (correct) *correct = 0.0;
  return OverBlocks(BlocksOf(rows), rows, y, targets, false, 0.0, correct,
                    [](int64_t, int64_t, const float*) {});
}

double OutputLayer::LossAndGradient(int64_t rows, const float* y, const int32_t* targets,
                                    float* d_y, double label_smoothing) {
  const int64_t V = vocabulary_size_, H = hidden_size_;
  const float* weight = parameters_.value(weight_);
  float* d_bias = bias_ >= 0 ? parameters_.gradient(bias_) : nullptr;
  const Blocks blocks = BlocksOf(rows);
  if (blocks.packs) packed_backward_.PackForAnyRows(H, V, V, {weight, H});
  const auto go_back = [&](int64_t begin, int64_t count, const float* block_y) {
    const float* d_logits = logits_.data();
    float* block_d_y = d_y + begin * H;
    if (blocks.packs) {
      packed_backward_.Multiply(count, d_logits, block_d_y);
    } else {
      MatMul(count, H, V, {d_logits, V}, {weight, H}, block_d_y, H);
    }
    AddLinearGradients(count, V, H, d_logits, V, block_y, parameters_.gradient(weight_), d_bias);
  };
  return OverBlocks(blocks, rows, y, targets, true, label_smoothing, nullptr, go_back);
}

int64_t OutputLayer::SampledFloats(int64_t rows, int64_t classes) const {
  // Its logits stand where an evaluation has those of all classes.
  const int64_t logits = MostRows(rows, classes + 1, hidden_size_) * (classes + 1);
  return std::max(logits, WorkingFloats(rows)) + classes * (2 * hidden_size_ + 1);
}

// The columns of logits are the classes of the sample and, last, the row's own target, which is
// nowhere near where the sample has it already.
double OutputLayer::SampledLossAndGradient(int64_t rows, const float* y, const int32_t* targets,
                                           const ClassSample& sample, float* d_y) {
  constexpr float kNowhere = -1e30f;
  const int64_t N = std::ssize(sample.classes()), H = hidden_size_, columns = N + 1;
  const float *weight = parameters_.value(weight_), *own_bias = bias();
  float* weights = sampled_weights_.Require(N * H);
  float* gradient = sampled_gradient_.Require(N * H);
  float* biases = sampled_bias_.Require(N);
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < N; ++j) {
    const int32_t c = sample.classes()[j];
    std::copy_n(weight + c * H, H, weights + j * H);
    std::fill_n(gradient + j * H, H, 0.0f);
    biases[j] = static_cast<float>((own_bias ? own_bias[c] : 0.0f) - sample.LogExpected(c));
  }
  std::vector<float> bias_sums(N);
  std::vector<int32_t> places;  // of the targets among the columns
  double loss = 0.0;
  const int64_t block = MostRows(rows, columns, H);
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t count = std::min(block, rows - begin);
    const float* block_y = y + begin * H;
    const int32_t* block_targets = targets + begin;
    float* logits = logits_.Require(count * columns);
    MatMul(count, N, H, {block_y, H}, {weights, H, true}, logits, columns, false, biases);
    places.assign(count, -1);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < count; ++row) {
      float& own = logits[row * columns + N];
      own = kNowhere;
      const int32_t target = block_targets[row];
      if (target < 0) continue;
      const int64_t place = sample.Find(target);
      places[row] = static_cast<int32_t>(place >= 0 ? place : N);
      if (place >= 0) continue;
      own = static_cast<float>(RowProduct(H, block_y + row * H, weight + target * H) +
                               (own_bias ? own_bias[target] : 0.0f) - sample.LogExpected(target));
    }
    loss += SoftmaxCrossEntropy(count, columns, places.data(), logits, true);
    MatMul(count, H, N, {logits, columns}, {weights, H}, d_y + begin * H, H);
    AddLinearGradients(count, N, H, logits, columns, block_y, gradient, bias_sums.data());
    AddOwnTargets(count, N, block_y, block_targets, places.data(), d_y + begin * H);
  }
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < N; ++j) {
    const int32_t c = sample.classes()[j];
    AddScaledRow(H, 1.0f, gradient + j * H, parameters_.gradient(weight_) + c * H);
    if (own_bias) parameters_.gradient(bias_)[c] += bias_sums[j];
  }
  return loss;
}

// Of targets that the sample has not. A class is one thread's, so that its rows are added in their
// order.
void OutputLayer::AddOwnTargets(int64_t rows, int64_t sampled, const float* y,
                                const int32_t* targets, const int32_t* places, float* d_y) {
  const int64_t H = hidden_size_;
  const auto share_of = [&](int64_t row) { return logits_.data()[row * (sampled + 1) + sampled]; };
#pragma omp parallel
  {
    const int threads = omp_get_num_threads(), thread = omp_get_thread_num();
    for (int64_t row = 0; row < rows; ++row) {
      const int32_t target = targets[row];
      if (places[row] != sampled || target % threads != thread) continue;
      AddScaledRow(H, share_of(row), parameters_.value(weight_) + target * H, d_y + row * H);
      AddScaledRow(H, share_of(row), y + row * H, parameters_.gradient(weight_) + target * H);
      if (bias_ >= 0) parameters_.gradient(bias_)[target] += share_of(row);
    }
  }
}

}  // namespace lockstep::worker
