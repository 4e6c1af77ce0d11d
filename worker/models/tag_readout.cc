#include "worker/models/tag_readout.h"

#include <algorithm>
#include <stdexcept>

#include "worker/losses/softmax_cross_entropy.h"

namespace lockstep::worker {
namespace {

// As pytorch-crf draws them.
constexpr double kCrfBound = 0.1;

}  // namespace

TagReadout::TagReadout(const SequenceLabelerOptions& options, Parameters& parameters)
    : options_(options),
      dropout_(options.stack.dropout_after(options.stack.layers - 1)),
      parameters_(parameters),
      linear_(options.stack.output_size(), options.tags, "tag", parameters) {
  if (!options.crf) return;
  crf_.emplace(options.tags);
  const Draw draw = UniformDraw(kCrfBound);
  transitions_ = parameters.Add("crf.transitions", {options.tags, options.tags}, draw);
  start_ = parameters.Add("crf.start", {options.tags}, draw);
  end_ = parameters.Add("crf.end", {options.tags}, draw);
}

void TagReadout::ApplyDropout(const float* x, float* out) const {
  Dropout(site_, dropout_, *steps_, linear_.input_size(), x, out);
}

void TagReadout::Forward(const PackedSteps& steps, const float* outputs, const DropoutSite* site) {
  steps_ = &steps;
  read_ = outputs;
  drops_ = site && dropout_ > 0.0;
  if (drops_) {
    site_ = *site;
    site_.locked = options_.stack.locked_dropout;
    float* dropped = dropped_.Require(steps.rows() * linear_.input_size());
    ApplyDropout(outputs, dropped);
    read_ = dropped;
  }
  linear_.Forward(steps.rows(), read_, logits_.Require(steps.rows() * options_.tags));
}

CrfScores TagReadout::Scores() const {
  return {parameters_.value(transitions_), parameters_.value(start_), parameters_.value(end_)};
}

LabelSum TagReadout::SoftmaxLoss(const int32_t* tags, double label_smoothing, bool gradient) {
  const int64_t rows = steps_->rows();
  const double loss = SoftmaxCrossEntropy(rows, options_.tags, tags, logits_.data(), gradient,
                                          {.label_smoothing = label_smoothing});
  const auto count = std::count_if(tags, tags + rows, [](int32_t tag) { return tag >= 0; });
  return {loss, static_cast<double>(count)};
}

LabelSum TagReadout::CrfLoss(const int32_t* tags, bool gradient) {
  const int64_t rows = steps_->rows();
  if (std::any_of(tags, tags + rows, [](int32_t tag) { return tag < 0; })) {
    throw std::invalid_argument("a CRF needs the tag of every token");
  }
  const double loss =
      gradient ? crf_->LossAndGradient(*steps_, Scores(), tags, logits_.data(),
                                       {parameters_.gradient(transitions_),
                                        parameters_.gradient(start_), parameters_.gradient(end_)})
               : crf_->Loss(*steps_, Scores(), tags, logits_.data());
  return {loss, static_cast<double>(rows)};
}

LabelSum TagReadout::LossAndGradient(const int32_t* tags) {
  return crf_ ? CrfLoss(tags, true) : SoftmaxLoss(tags, options_.label_smoothing, true);
}

LabelSum TagReadout::Loss(const int32_t* tags) {
  return crf_ ? CrfLoss(tags, false) : SoftmaxLoss(tags, 0.0, false);
}

void TagReadout::Predict(std::vector<int32_t>& tags, std::vector<float>& probabilities) {
  const int64_t rows = steps_->rows(), K = options_.tags;
  tags.resize(rows);
  probabilities.resize(rows);
  probabilities_.assign(logits_.data(), logits_.data() + rows * K);
  if (crf_) {
    crf_->LikeliestPaths(*steps_, Scores(), logits_.data(), tags.data());
    crf_->Marginals(*steps_, Scores(), probabilities_.data());
  } else {
    Softmax(rows, K, probabilities_.data());
  }
  for (int64_t row = 0; row < rows; ++row) {
    const float* p = probabilities_.data() + row * K;
    if (!crf_) tags[row] = static_cast<int32_t>(std::max_element(p, p + K) - p);
    probabilities[row] = p[tags[row]];
  }
}

void TagReadout::Backward(float* d_outputs) {
  linear_.Backward(steps_->rows(), read_, logits_.data(), d_outputs);
  if (drops_) ApplyDropout(d_outputs, d_outputs);
}

int64_t TagReadout::FloatsOfRow() const {
  return options_.tags + (dropout_ > 0.0 ? linear_.input_size() : 0) +
         (crf_ ? crf_->FloatsOfRow() : 0);
}

}  // namespace lockstep::worker
