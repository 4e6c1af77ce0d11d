#include "worker/layers/adaptive_softmax.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "worker/layers/pooling_kernels.h"
#include "worker/losses/log_sum_exp.h"
#include "worker/parallel_for.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

const AdaptiveSoftmaxOptions& Checked(const AdaptiveSoftmaxOptions& options,
                                      int64_t vocabulary_size, int tied_weight) {
  int64_t before = 0;
  for (const int64_t cutoff : options.cutoffs) {
    if (cutoff <= before || cutoff >= vocabulary_size) {
      throw std::invalid_argument("cutoffs must rise within the vocabulary");
    }
    before = cutoff;
  }
  if (!options.cutoffs.empty() && tied_weight >= 0) {
    throw std::invalid_argument("clusters have matrices of their own");
  }
  if (!(options.division >= 1.0)) throw std::invalid_argument("a division below 1");
  return options;
}

int64_t HeadSize(const AdaptiveSoftmaxOptions& options, int64_t vocabulary_size) {
  if (options.cutoffs.empty()) return vocabulary_size;
  return options.cutoffs.front() + std::ssize(options.cutoffs);
}

void CopyShifted(int64_t n, const float* from, double shift, float* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i] + shift);
}

}  // namespace

AdaptiveSoftmax::AdaptiveSoftmax(int64_t vocabulary_size, int64_t hidden_size,
                                 const AdaptiveSoftmaxOptions& options, int tied_weight,
                                 Parameters& parameters)
    : vocabulary_size_(vocabulary_size),
      hidden_size_(hidden_size),
      head_(HeadSize(Checked(options, vocabulary_size, tied_weight), vocabulary_size), hidden_size,
            tied_weight, parameters) {
  auto size = static_cast<double>(hidden_size);
  for (size_t i = 0; i < options.cutoffs.size(); ++i) {
    const int64_t begin = options.cutoffs[i];
    const int64_t end = i + 1 < options.cutoffs.size() ? options.cutoffs[i + 1] : vocabulary_size;
    size /= options.division;
    const int64_t inputs = std::max<int64_t>(1, static_cast<int64_t>(size));
    const std::string name = "tail." + std::to_string(i);
    clusters_.push_back({begin,
                         end,
                         Linear(hidden_size, inputs, name + ".0", parameters, false),
                         OutputLayer(end - begin, inputs, -1, parameters, name + ".1", false),
                         {}});
  }
}

// What the head is to find: a token of its own, or a cluster.
const int32_t* AdaptiveSoftmax::HeadTargets(int64_t rows, const int32_t* targets) {
  if (clusters_.empty()) return targets;
  head_targets_.assign(targets, targets + rows);
  const auto first = static_cast<int32_t>(clusters_.front().begin);
  for (int32_t& target : head_targets_) {
    if (target < first) continue;
    int32_t cluster = 0;
    while (target >= clusters_[cluster].end) ++cluster;
    target = first + cluster;
  }
  return head_targets_.data();
}

void AdaptiveSoftmax::Take(const Cluster& cluster, int64_t rows, const float* y,
                           const int32_t* targets) {
  part_.rows.clear();
  part_.targets.clear();
  for (int64_t row = 0; row < rows; ++row) {
    if (targets[row] < cluster.begin || targets[row] >= cluster.end) continue;
    part_.rows.push_back(row);
    part_.targets.push_back(static_cast<int32_t>(targets[row] - cluster.begin));
  }
  const int64_t n = std::ssize(part_.rows), H = hidden_size_;
  if (n == 0) return;
  float* own = part_.y.Require(n * H);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i) std::copy_n(y + part_.rows[i] * H, H, own + i * H);
  cluster.input.Forward(n, own, part_.projected.Require(n * cluster.input.output_size()));
}

double AdaptiveSoftmax::Loss(int64_t rows, const float* y, const int32_t* targets) {
  double loss = head_.Loss(rows, y, HeadTargets(rows, targets));
  const VaryingRows varying(!clusters_.empty());  // as many as the text has of a cluster
  for (Cluster& cluster : clusters_) {
    Take(cluster, rows, y, targets);
    if (part_.rows.empty()) continue;
    loss +=
        cluster.output.Loss(std::ssize(part_.rows), part_.projected.data(), part_.targets.data());
  }
  return loss;
}

double AdaptiveSoftmax::LossAndGradient(int64_t rows, const float* y, const int32_t* targets,
                                        float* d_y, double label_smoothing) {
  if (label_smoothing > 0.0 && !clusters_.empty()) {
    throw std::invalid_argument("labels are smoothed over one softmax only");
  }
  const int64_t H = hidden_size_;
  double loss = head_.LossAndGradient(rows, y, HeadTargets(rows, targets), d_y, label_smoothing);
  const VaryingRows varying(!clusters_.empty());
  for (Cluster& cluster : clusters_) {
    Take(cluster, rows, y, targets);
    const int64_t n = std::ssize(part_.rows);
    if (n == 0) continue;
    float* d_projected = part_.d_projected.Require(n * cluster.input.output_size());
    float* d_own = part_.d_y.Require(n * H);
    loss += cluster.output.LossAndGradient(n, part_.projected.data(), part_.targets.data(),
                                           d_projected);
    cluster.input.Backward(n, part_.y.data(), d_projected, d_own);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; ++i) {
      AddScaledRow(H, 1.0f, d_own + i * H, d_y + part_.rows[i] * H);
    }
  }
  return loss;
}

void AdaptiveSoftmax::PackWeights() {
  head_.PackWeights();
  for (Cluster& cluster : clusters_) {
    cluster.input.PackWeights(cluster.packed_input);
    cluster.output.PackWeights();
  }
}

const float* AdaptiveSoftmax::Logits(int64_t rows, const float* y) {
  const float* head = head_.PackedLogits(rows, y);
  if (clusters_.empty()) return head;
  const int64_t first = clusters_.front().begin, heads = head_.classes(), V = vocabulary_size_;
  float* all = logits_.Require(rows * V);
  std::vector<double> normalizers(rows);  // of the head
  ParallelFor(rows, [&](int64_t row) {
    normalizers[row] = LogSumExp(heads, head + row * heads);
    CopyShifted(first, head + row * heads, -normalizers[row], all + row * V);
  });
  for (size_t i = 0; i < clusters_.size(); ++i) {
    Cluster& cluster = clusters_[i];
    const int64_t classes = cluster.output.classes();
    float* projected = part_.projected.Require(rows * cluster.input.output_size());
    cluster.packed_input.Multiply(rows, y, projected);
    const float* logits = cluster.output.PackedLogits(rows, projected);
    ParallelFor(rows, [&](int64_t row) {
      const double of_cluster = head[row * heads + first + static_cast<int64_t>(i)];
      const float* own = logits + row * classes;
      CopyShifted(classes, own, of_cluster - normalizers[row] - LogSumExp(classes, own),
                  all + row * V + cluster.begin);
    });
  }
  return all;
}

int64_t AdaptiveSoftmax::WorkingFloats(int64_t rows, int64_t sampled) const {
  int64_t floats = sampled > 0 ? head_.SampledFloats(rows, sampled) : head_.WorkingFloats(rows);
  for (const Cluster& cluster : clusters_) floats += cluster.output.WorkingFloats(rows);
  if (!clusters_.empty()) {
    floats += 2 * rows * (hidden_size_ + clusters_.front().input.output_size());
  }
  return floats;
}

}  // namespace lockstep::worker
