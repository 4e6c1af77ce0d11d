#include "worker/layers/attention.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "worker/layers/attention_kernels.h"
#include "worker/products/column_sum.h"

namespace lockstep::worker {
namespace {

Draw DrawOf(int64_t input_size) {
  return UniformDraw(1.0 / std::sqrt(static_cast<double>(input_size)));
}

}  // namespace

Attention::Attention(const AttentionOptions& options, const std::string& name,
                     Parameters& parameters)
    : options_(options),
      parameters_(parameters),
      key_weight_(parameters.Add(name + ".key.weight", {options.key_size(), options.value_size},
                                 DrawOf(options.value_size))) {
  if (!is_additive()) return;
  query_weight_ = parameters.Add(name + ".query.weight", {options.units, options.query_size},
                                 DrawOf(options.query_size));
  vector_ = parameters.Add(name + ".vector", {options.units}, DrawOf(options.units));
}

void Attention::SetSource(const PackedSteps& source, const float* values) {
  source_ = source;
  const int64_t C = options_.value_size, K = options_.key_size(), rows = source.rows();
  first_.resize(source.items() + 1);
  for (int64_t i = 0; i < source.items(); ++i) first_[i + 1] = first_[i] + source.length(i);
  values_.Require(rows * C);
#pragma omp parallel for schedule(static)
  for (int64_t t = 0; t < source.time_steps(); ++t) {
    for (int64_t i = 0; i < source.items_at(t); ++i) {
      std::copy_n(values + (source.first_row(t) + i) * C, C, values_.data() + (first_[i] + t) * C);
    }
  }
  float* keys = keys_.Require(rows * K);
  MatMul(rows, K, C, {values_.data(), C}, {parameters_.value(key_weight_), C, true}, keys, K);
  if (!is_additive()) return;
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) ExponentialsOfTwice(K, keys + row * K);
  const int64_t Q = options_.query_size;
  query_weights_.PackForAnyRows(K, Q, Q, {parameters_.value(query_weight_), Q, true});
}

void Attention::Begin(const PackedSteps& target, const int64_t* source_of, const float* queries,
                      float* contexts) {
  target_ = target;
  source_of_ = source_of;
  queries_ = queries;
  contexts_ = contexts;
  weights_.Require(target.rows() * source_.time_steps());
  if (is_additive()) projected_.Require(target.rows() * options_.units);
}

// Items in turn for every thread: the long ones come first.
template <class Visit>
void Attention::ForEachRow(int64_t first, int64_t last, const Visit& visit) const {
  const int64_t items = target_.items_at(first);
#pragma omp parallel for schedule(static, 1)
  for (int64_t item = 0; item < items; ++item) {
    const int64_t end = std::min(last, target_.length(item));
    for (int64_t t = first; t < end; ++t) {
      visit(item, target_.first_row(t) + item, first_[source_of_[item]]);
    }
  }
}

void Attention::Forward(int64_t first, int64_t last) {
  const int64_t C = options_.value_size, K = options_.key_size(), Q = options_.query_size;
  const int64_t begin = target_.first_row(first), rows = target_.first_row(last) - begin;
  const float* v = is_additive() ? parameters_.value(vector_) : nullptr;
  if (v) {
    query_weights_.Multiply(rows, queries_ + begin * Q, projected_.data() + begin * K);
  }
  ForEachRow(first, last, [&](int64_t item, int64_t row, int64_t source) {
    const int64_t n = SourceLength(item);
    const float* keys = keys_.data() + source * K;
    float* weights = WeightsOf(weights_, row);
    if (v) {
      float* query = projected_.data() + row * K;
      ExponentialsOfTwice(K, query);
      AdditiveScores(n, K, query, keys, v, weights);
    } else {
      RowProducts(n, K, keys, queries_ + row * K, weights);
    }
    Softmax(n, weights);
    WeightedSum({.n = n, .size = C, .rows = values_.data() + source * C, .weights = weights},
                contexts_ + row * C);
  });
}

int64_t Attention::MostAttended(int64_t item, int64_t row) const {
  const float* weights = weights_.data() + row * source_.time_steps();
  return std::max_element(weights, weights + SourceLength(item)) - weights;
}

void Attention::BeginBackward(const float* d_contexts, float* d_queries) {
  d_contexts_ = d_contexts;
  d_queries_ = d_queries;
  d_scores_.Require(target_.rows() * source_.time_steps());
  row_lists_.clear();
  row_lists_.reserve(target_.rows());
  for (int64_t item = 0; item < target_.items(); ++item) {
    for (int64_t t = 0; t < target_.length(item); ++t) {
      row_lists_.push_back(target_.first_row(t) + item);
    }
  }
  const int64_t K = options_.key_size(), size = source_.rows() * K;
  d_keys_.Require(size);
  if (!is_additive()) return;
  std::fill_n(d_keys_.data(), size, 0.0f);
  d_projected_.Require(target_.rows() * K);
  std::fill_n(d_vectors_.Require(target_.items() * K), target_.items() * K, 0.0f);
  query_weights_back_.PackForAnyRows(options_.query_size, K, K,
                                     {parameters_.value(query_weight_), options_.query_size});
}

void Attention::Backward(int64_t first, int64_t last) {
  const int64_t C = options_.value_size, K = options_.key_size(), Q = options_.query_size;
  const float* v = is_additive() ? parameters_.value(vector_) : nullptr;
  ForEachRow(first, last, [&](int64_t item, int64_t row, int64_t source) {
    const int64_t n = SourceLength(item);
    const float* keys = keys_.data() + source * K;
    float* d_scores = WeightsOf(d_scores_, row);
    RowProducts(n, C, values_.data() + source * C, d_contexts_ + row * C, d_scores);
    SoftmaxBackward(n, WeightsOf(weights_, row), d_scores);
    if (v) {
      AdditiveScoresBackward(n, K, projected_.data() + row * K, keys, v, d_scores,
                             d_projected_.data() + row * K, d_keys_.data() + source * K,
                             d_vectors_.data() + item * K);
    } else {
      WeightedSum({.n = n, .size = K, .rows = keys, .weights = d_scores}, d_queries_ + row * K);
    }
  });
  if (!v) return;
  const int64_t begin = target_.first_row(first), rows = target_.first_row(last) - begin;
  query_weights_back_.Multiply(rows, d_projected_.data() + begin * K, d_queries_ + begin * Q);
}

// What sums over the rows of a target: gradients of the values and of general keys.
void Attention::SumOverTargets() {
  const int64_t C = options_.value_size, K = options_.key_size(), T = source_.time_steps();
  std::vector<int64_t> lists(target_.items() + 1);
  for (int64_t i = 0; i < target_.items(); ++i) lists[i + 1] = lists[i] + target_.length(i);
#pragma omp parallel for schedule(static, 1)
  for (int64_t item = 0; item < target_.items(); ++item) {
    const int64_t first = first_[source_of_[item]], n = SourceLength(item);
    WeightedRows rows = {
        .n = target_.length(item), .index = row_lists_.data() + lists[item], .weight_stride = T};
    for (int64_t j = 0; j < n; ++j) {
      rows.size = C;
      rows.rows = d_contexts_;
      rows.weights = weights_.data() + j;
      WeightedSum(rows, d_values_.data() + (first + j) * C);
      if (is_additive()) continue;
      rows.size = K;
      rows.rows = queries_;
      rows.weights = d_scores_.data() + j;
      WeightedSum(rows, d_keys_.data() + (first + j) * K);
    }
    if (is_additive()) {
      ScaleKeyGradient(n, K, parameters_.value(vector_), d_keys_.data() + first * K);
    }
  }
}

void Attention::FinishBackward(float* d_values) {
  const int64_t C = options_.value_size, K = options_.key_size(), Q = options_.query_size;
  const int64_t rows = source_.rows();
  d_values_.Require(rows * C);
  SumOverTargets();
  MatMul(K, C, rows, {d_keys_.data(), K, true}, {values_.data(), C},
         parameters_.gradient(key_weight_), C, true);
  MatMul(rows, C, K, {d_keys_.data(), K}, {parameters_.value(key_weight_), C}, d_values_.data(), C,
         true);
  if (is_additive()) {
    MatMul(K, Q, target_.rows(), {d_projected_.data(), K, true}, {queries_, Q},
           parameters_.gradient(query_weight_), Q, true);
    AddColumnSums(target_.items(), K, d_vectors_.data(), K, parameters_.gradient(vector_));
  }
#pragma omp parallel for schedule(static)
  for (int64_t t = 0; t < source_.time_steps(); ++t) {
    for (int64_t i = 0; i < source_.items_at(t); ++i) {
      std::copy_n(d_values_.data() + (first_[i] + t) * C, C,
                  d_values + (source_.first_row(t) + i) * C);
    }
  }
}

int64_t Attention::FloatsOfSourceRow() const {
  return 2 * (options_.value_size + options_.key_size());
}

int64_t Attention::FloatsOfTargetRow(int64_t source_steps) const {
  return 2 * source_steps + (is_additive() ? 3 * options_.units : 0);
}

}  // namespace lockstep::worker
