#include "tests/worker/models/pair_case.h"

#include <algorithm>
#include <random>

#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

constexpr int64_t kSourceVocabulary = 6, kTargetVocabulary = 4, kVectorSize = 5;
const int64_t kZero = 0;

}  // namespace

EncoderDecoderOptions SmallPairOptions(Conditioning conditioning, bool vector) {
  EncoderDecoderOptions options;
  (vector ? options.source_vector_size : options.source_vocabulary_size) =
      vector ? kVectorSize : kSourceVocabulary;
  options.target_vocabulary_size = kTargetVocabulary;
  options.embedding_size = 3;
  options.stack.hidden_size = 5;
  options.conditioning = conditioning;
  return options;
}

PairCase::PairCase(const EncoderDecoderOptions& options) : model(options) {
  const bool vector = options.source_vector_size > 0;
  target = PackedSteps::OfLengths(std::vector<int64_t>{6, 5, 3, 2, 1});
  source = vector ? PackedSteps::Uniform(1, 5)
                  : PackedSteps::OfLengths(std::vector<int64_t>{5, 4, 4, 2, 1});
  source_of = {3, 0, 4, 2, 1};
  std::mt19937 generator(4);
  std::ranges::copy(UniformValues(generator, model.parameters().size(), 0.6f),
                    model.parameters().values().begin());
  const auto draw = [&](int64_t count) { return static_cast<int32_t>(generator() % count); };
  for (int64_t row = 0; row < source.rows(); ++row) {
    source_tokens.push_back(draw(kSourceVocabulary));
  }
  source_vectors = UniformValues(generator, 5 * kVectorSize, 1.0f);
  inputs.resize(target.rows(), static_cast<int32_t>(kTargetVocabulary));
  targets.resize(target.rows(), static_cast<int32_t>(kTargetVocabulary));
  for (int64_t item = 0; item < target.items(); ++item) {
    for (int64_t t = 1; t < target.length(item); ++t) {
      const int32_t token = draw(kTargetVocabulary);
      inputs[target.first_row(t) + item] = token;
      targets[target.first_row(t - 1) + item] = token;
    }
  }
  site = {.seed = 0x123456789ABCDEF, .batch = 0x500000007, .lanes = lanes.data()};
}

PairBatch PairCase::batch() const {
  PairBatch batch;
  batch.source = source;
  if (model.options().source_vector_size > 0) {
    batch.source_vectors = source_vectors.data();
  } else {
    batch.source_tokens = source_tokens.data();
  }
  batch.target = target;
  batch.inputs = inputs.data();
  batch.targets = targets.data();
  batch.source_of = source_of.data();
  return batch;
}

PairBatch PairCase::One(int64_t item) {
  PairBatch one = batch();
  one_source_.clear();
  one_inputs_.clear();
  one_targets_.clear();
  if (one.source_tokens) {
    one.source = PackedSteps::Uniform(source.length(source_of[item]), 1);
    for (int64_t t = 0; t < one.source.time_steps(); ++t) {
      one_source_.push_back(source_tokens[source.first_row(t) + source_of[item]]);
    }
    one.source_tokens = one_source_.data();
  } else {
    one.source = PackedSteps::Uniform(1, 1);
    one.source_vectors += item * kVectorSize;
  }
  one.target = PackedSteps::Uniform(target.length(item), 1);
  for (int64_t t = 0; t < one.target.time_steps(); ++t) {
    one_inputs_.push_back(inputs[target.first_row(t) + item]);
    one_targets_.push_back(targets[target.first_row(t) + item]);
  }
  one.inputs = one_inputs_.data();
  one.targets = one_targets_.data();
  one.source_of = &kZero;
  return one;
}

PairSum PairCase::Run(double sampling) {
  std::ranges::fill(model.parameters().gradient(), 0.0f);
  const PairSum sum = model.Forward(batch(), site, sampling);
  model.Backward(ready);
  return sum;
}

}  // namespace lockstep::worker
