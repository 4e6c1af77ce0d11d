#include "tests/worker/models/reference_labeler.h"

#include <algorithm>
#include <cmath>

#include "tests/worker/reference_model.h"

namespace lockstep::worker {
namespace {

using Array = std::vector<double>;

StackOptions StackOf(const SequenceLabelerOptions& options) {
  StackOptions stack = options.stack;
  stack.input_size = options.embedding_size > 0 ? options.embedding_size : options.vocabulary_size;
  if (stack.input_dropout == 0.0) stack.input_dropout = stack.dropout;
  if (options.embedding_size == 0) stack.input_dropout = 0.0;
  return stack;
}

double LogSum(const Array& x) {
  const double most = *std::ranges::max_element(x);
  double sum = 0.0;
  for (const double value : x) sum += std::exp(value - most);
  return most + std::log(sum);
}

Array Probabilities(const Array& logits) {
  const double log_sum = LogSum(logits);
  Array p;
  for (const double x : logits) p.push_back(std::exp(x - log_sum));
  return p;
}

// torch.nn.CrossEntropyLoss's.
double CrossEntropy(const Array& logits, int32_t target, double smoothing,
                    const std::vector<float>& weights) {
  if (target < 0) return 0.0;
  const auto weight = [&](size_t i) { return weights.empty() ? 1.0 : weights[i]; };
  const double log_sum = LogSum(logits);
  double all = 0.0;
  for (size_t i = 0; i < logits.size(); ++i) all += weight(i) * (log_sum - logits[i]);
  return (1.0 - smoothing) * weight(target) * (log_sum - logits[target]) +
         smoothing / static_cast<double>(logits.size()) * all;
}

std::vector<int32_t> OfItem(const LabelBatch& batch, const int32_t* rows, int64_t item) {
  std::vector<int32_t> values;
  for (int64_t t = 0; t < batch.steps.length(item); ++t) {
    values.push_back(rows[batch.steps.first_row(t) + item]);
  }
  return values;
}

}  // namespace

ReferenceLabeler::ReferenceLabeler(const SequenceLabeler& model)
    : options_(model.options()),
      parameters_(model.parameters()),
      stack_(StackOf(model.options())),
      values_(parameters_.values().begin(), parameters_.values().end()) {}

const double* ReferenceLabeler::Value(const std::string& name) const {
  return values_.data() + parameters_.list().at(parameters_.Find(name)).offset;
}

Array ReferenceLabeler::Linear(const std::string& name, const double* x, int64_t size) const {
  const int64_t rows = parameters_.list().at(parameters_.Find(name + ".weight")).shape[0];
  const double* weight = Value(name + ".weight");
  Array y(Value(name + ".bias"), Value(name + ".bias") + rows);
  for (int64_t i = 0; i < rows * size; ++i) y[i / size] += weight[i] * x[i % size];
  return y;
}

double ReferenceLabeler::Factor(const DropoutSite* site, int64_t item, int64_t layer, int64_t t,
                                int64_t unit, int64_t units) const {
  const double dropout = options_.stack.output_dropout.value_or(options_.stack.dropout);
  if (!site || dropout <= 0.0) return 1.0;
  DropoutSite own = *site;
  own.layer = static_cast<uint32_t>(layer);
  own.first_lane = site->lanes ? site->lanes[item] : site->first_lane + item;
  return ReferenceDropoutFactor(own, dropout, options_.stack.locked_dropout ? 0 : t, 0, unit,
                                units);
}

Array ReferenceLabeler::Pool(const Array& outputs, const Array& h) const {
  const int64_t H = options_.stack.hidden_size, width = options_.stack.output_size();
  const int64_t n = std::ssize(outputs) / width;
  if (options_.pooling == Pooling::kLast) {
    return {h.end() - options_.stack.directions() * H, h.end()};
  }
  Array scores, pooled(width, 0.0);
  if (options_.pooling == Pooling::kAttention) {
    for (int64_t t = 0; t < n; ++t) {
      const Array z = Linear("attention", outputs.data() + t * width, width);
      double score = 0.0;
      for (int64_t j = 0; j < width; ++j) {
        score += Value("attention.vector")[j] * std::tanh(z[j]);
      }
      scores.push_back(score);
    }
  }
  const Array a = options_.pooling == Pooling::kAttention ? Probabilities(scores)
                                                          : Array(n, 1.0 / static_cast<double>(n));
  for (int64_t j = 0; j < width; ++j) {
    double most = outputs[j];
    for (int64_t t = 0; t < n; ++t) {
      pooled[j] += a[t] * outputs[t * width + j];
      most = std::max(most, outputs[t * width + j]);
    }
    if (options_.pooling == Pooling::kMax) pooled[j] = most;
  }
  return pooled;
}

ReferenceLabeler::Logits ReferenceLabeler::Run(const LabelBatch& batch, int64_t item,
                                               const DropoutSite* site) {
  DropoutSite of_stack;
  if (site) of_stack = *site;
  of_stack.layer = 0;
  stack_.SetParameters(parameters_, values_, site ? &of_stack : nullptr);
  const int64_t E = options_.embedding_size, V = options_.vocabulary_size,
                width = options_.stack.output_size(), L = options_.stack.layers;
  const auto tokens = OfItem(batch, batch.tokens, item);
  const int64_t n = std::ssize(tokens);
  Array x(n * std::max(E, E > 0 ? E : V), 0.0);
  for (int64_t t = 0; t < n; ++t) {
    if (E == 0) x[t * V + tokens[t]] = 1.0;
    const double factor =
        site ? ReferenceTokenFactor(*site, options_.embedding_dropout, tokens[t]) : 1.0;
    for (int64_t i = 0; i < E; ++i) {
      x[t * E + i] = factor * Value("embedding.weight")[tokens[t] * E + i];
    }
  }
  Array h(L * width), c(L * width);
  const Array outputs = stack_.Run(x, h, c, site ? &of_stack : nullptr, item, true);
  Logits logits;
  if (options_.labels > 0) {
    Array pooled = Pool(outputs, h);
    for (int64_t j = 0; j < width; ++j) pooled[j] *= Factor(site, item, L + 1, 0, j, width);
    logits.label = Linear("label", pooled.data(), width);
  }
  for (int64_t t = 0; options_.tags > 0 && t < n; ++t) {
    Array row(outputs.begin() + t * width, outputs.begin() + (t + 1) * width);
    for (int64_t j = 0; j < width; ++j) row[j] *= Factor(site, item, L - 1, t, j, width);
    logits.tags.push_back(Linear("tag", row.data(), width));
  }
  return logits;
}

double ReferenceLabeler::CrfScore(const std::vector<Array>& e,
                                  const std::vector<int32_t>& path) const {
  double score = Value("crf.start")[path.front()] + Value("crf.end")[path.back()];
  for (size_t t = 0; t < path.size(); ++t) {
    score += e[t][path[t]];
    if (t > 0) score += Value("crf.transitions")[path[t - 1] * options_.tags + path[t]];
  }
  return score;
}

double ReferenceLabeler::CrfLoss(const std::vector<Array>& e,
                                 const std::vector<int32_t>& path) const {
  const int64_t K = options_.tags;
  Array now(K), terms(K);
  for (size_t t = 0; t < e.size(); ++t) {
    const Array before = now;
    for (int64_t j = 0; j < K; ++j) {
      for (int64_t i = 0; i < K; ++i) terms[i] = before[i] + Value("crf.transitions")[i * K + j];
      now[j] = e[t][j] + (t > 0 ? LogSum(terms) : Value("crf.start")[j]);
    }
  }
  for (int64_t j = 0; j < K; ++j) now[j] += Value("crf.end")[j];
  return LogSum(now) - CrfScore(e, path);
}

LabelSum ReferenceLabeler::Loss(const LabelBatch& batch, const DropoutSite* site) {
  LabelSum sum;
  const double smoothing = site ? options_.label_smoothing : 0.0;
  for (int64_t item = 0; item < batch.steps.items(); ++item) {
    const Logits logits = Run(batch, item, site);
    if (options_.labels > 0 && batch.labels) {
      const int32_t label = batch.labels[item];
      sum.loss += CrossEntropy(logits.label, label, smoothing, options_.label_weights);
      if (label >= 0)
        sum.weight += options_.label_weights.empty() ? 1.0 : options_.label_weights[label];
    }
    if (options_.tags == 0 || !batch.tags) continue;
    const auto tags = OfItem(batch, batch.tags, item);
    if (options_.crf) sum.loss += CrfLoss(logits.tags, tags);
    for (size_t t = 0; t < tags.size(); ++t) {
      if (!options_.crf) sum.loss += CrossEntropy(logits.tags[t], tags[t], smoothing, {});
      sum.weight += tags[t] >= 0 ? 1.0 : 0.0;
    }
  }
  return sum;
}

// With a CRF over all K^n paths.
void ReferenceLabeler::PredictTags(const std::vector<Array>& logits, Prediction& prediction) const {
  const auto K = static_cast<int32_t>(options_.tags);
  const size_t n = logits.size();
  std::vector<Array> p;
  if (!options_.crf) {
    for (const Array& row : logits) {
      p.push_back(Probabilities(row));
      prediction.tags.push_back(
          static_cast<int32_t>(std::ranges::max_element(p.back()) - p.back().begin()));
    }
  } else {
    p.assign(n, Array(K, 0.0));
    std::vector<int32_t> path(n, 0);
    double total = 0.0, most = 0.0;
    for (size_t t = 0; t < n;) {
      const double weight = std::exp(CrfScore(logits, path));
      total += weight;
      for (size_t s = 0; s < n; ++s) p[s][path[s]] += weight;
      if (weight > most) prediction.tags = path;
      most = std::max(most, weight);
      for (t = 0; t < n && ++path[t] == K; ++t) path[t] = 0;
    }
    for (Array& row : p) {
      for (double& x : row) x /= total;
    }
  }
  for (size_t t = 0; t < n; ++t) prediction.tag_probabilities.push_back(p[t][prediction.tags[t]]);
}

ReferenceLabeler::Prediction ReferenceLabeler::Predict(const LabelBatch& batch, int64_t item) {
  const Logits logits = Run(batch, item, nullptr);
  Prediction prediction;
  if (options_.labels > 0) prediction.label_probabilities = Probabilities(logits.label);
  if (options_.tags > 0) PredictTags(logits.tags, prediction);
  return prediction;
}

}  // namespace lockstep::worker
