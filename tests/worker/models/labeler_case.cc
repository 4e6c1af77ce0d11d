#include "tests/worker/models/labeler_case.h"

#include <algorithm>
#include <random>

#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

std::vector<int32_t> Classes(std::mt19937& generator, int64_t count, int64_t classes) {
  std::vector<int32_t> values;
  for (int64_t i = 0; i < count && classes > 0; ++i) {
    values.push_back(static_cast<int32_t>(generator() % classes));
  }
  return values;
}

}  // namespace

LabelerCase::LabelerCase(const SequenceLabelerOptions& options, const std::vector<int64_t>& lengths,
                         uint32_t random_seed)
    : model(options), steps(PackedSteps::OfLengths(lengths)) {
  std::mt19937 generator(random_seed);
  const auto values = UniformValues(generator, model.parameters().size(), 0.7f);
  std::ranges::copy(values, model.parameters().values().begin());
  tokens = Classes(generator, steps.rows(), options.vocabulary_size);
  labels = Classes(generator, steps.items(), options.labels);
  tags = Classes(generator, steps.rows(), options.tags);
  if (labels.size() > 1) labels[1] = -1;
  if (tags.size() > 2 && !options.crf) tags[2] = -1;
  for (int64_t item = 0; item < steps.items(); ++item) numbers.push_back(item * 7 % 5 + 40);
}

DropoutSite LabelerCase::site() const {
  DropoutSite site{.seed = 0x123456789ABCDEF, .batch = 0x500000007};
  site.lanes = numbers.data();
  return site;
}

LabelerCase::Alone LabelerCase::ItemAlone(int64_t item) const {
  Alone alone;
  alone.site = site();
  alone.site.lanes = nullptr;
  alone.site.first_lane = numbers[item];
  alone.steps = PackedSteps::Uniform(steps.length(item), 1);
  for (int64_t t = 0; t < steps.length(item); ++t) {
    alone.tokens.push_back(tokens[steps.first_row(t) + item]);
    if (!tags.empty()) alone.tags.push_back(tags[steps.first_row(t) + item]);
  }
  if (!labels.empty()) alone.label = labels[item];
  return alone;
}

LabelSum LabelerCase::Run() {
  std::ranges::fill(model.parameters().gradient(), 0.0f);
  const LabelSum sum = model.Forward(batch(), site());
  model.Backward(ready);
  return sum;
}

std::vector<double> LabelerCase::Gradient() const {
  const auto gradient = model.parameters().gradient();
  return {gradient.begin(), gradient.end()};
}

}  // namespace lockstep::worker
