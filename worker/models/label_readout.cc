#include "worker/models/label_readout.h"

#include "worker/losses/softmax_cross_entropy.h"

namespace lockstep::worker {

LabelReadout::LabelReadout(const SequenceLabelerOptions& options, Parameters& parameters)
    : options_(options),
      dropout_(options.stack.dropout_after(options.stack.layers - 1)),
      pooling_(options.pooling, options.stack.directions(), options.stack.hidden_size, parameters),
      linear_(options.stack.output_size(), options.labels, "label", parameters) {}

// In place, forward and backward: one time step of all items.
void LabelReadout::ApplyDropout() {
  Dropout(site_, dropout_, 1, items_, linear_.input_size(), pooled_.data(), pooled_.data());
}

void LabelReadout::Forward(const PackedSteps& steps, const float* outputs,
                           const RecurrentState& state, const DropoutSite* site) {
  items_ = steps.items();
  drops_ = site && dropout_ > 0.0;
  if (site) site_ = *site;
  float* pooled = pooled_.Require(items_ * linear_.input_size());
  pooling_.Forward(steps, outputs, state, pooled);
  if (drops_) ApplyDropout();
  linear_.Forward(items_, pooled, logits_.Require(items_ * linear_.output_size()));
}

LabelSum LabelReadout::Loss(const int32_t* labels, double label_smoothing, bool gradient) {
  const std::vector<float>& weights = options_.label_weights;
  LabelSum sum;
  sum.loss = SoftmaxCrossEntropy(items_, options_.labels, labels, logits_.data(), gradient,
                                 {.label_smoothing = label_smoothing,
                                  .class_weights = weights.empty() ? nullptr : weights.data()});
  for (int64_t item = 0; item < items_; ++item) {
    if (labels[item] < 0) continue;
    sum.weight += weights.empty() ? 1.0 : weights[labels[item]];
  }
  return sum;
}

LabelSum LabelReadout::LossAndGradient(const int32_t* labels) {
  return Loss(labels, options_.label_smoothing, true);
}

LabelSum LabelReadout::Loss(const int32_t* labels) { return Loss(labels, 0.0, false); }

void LabelReadout::Probabilities(std::vector<float>& probabilities) const {
  probabilities.assign(logits_.data(), logits_.data() + items_ * options_.labels);
  Softmax(items_, options_.labels, probabilities.data());
}

void LabelReadout::Backward(float* d_outputs, bool accumulate, RecurrentState& d_state) {
  // The product that gives the gradient of what was read comes behind the one that reads it.
  linear_.Backward(items_, pooled_.data(), logits_.data(), pooled_.data());
  if (drops_) ApplyDropout();
  pooling_.Backward(pooled_.data(), d_outputs, accumulate, d_state);
}

}  // namespace lockstep::worker
