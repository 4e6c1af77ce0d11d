// Losses and gradients of whole classifiers and taggers against PyTorch's, with packed sequences.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "worker/models/sequence_labeler.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;
using testing::FloatNear;
using testing::Pointwise;

// The sizes in make_golden_labelers.py.
SequenceLabelerOptions OptionsOf(const nlohmann::json& golden) {
  const std::map<std::string, Pooling> poolings = {{"LAST", Pooling::kLast},
                                                   {"MEAN", Pooling::kMean},
                                                   {"MAX", Pooling::kMax},
                                                   {"ATTENTION", Pooling::kAttention}};
  const std::string pooling = golden["pooling"], tags = golden["tag_loss"];
  SequenceLabelerOptions options;
  options.vocabulary_size = 7;
  options.embedding_size = 4;
  options.stack.cell = golden["cell"] == "GRU" ? Cell::kGru : Cell::kLstm;
  options.stack.hidden_size = 3;
  options.stack.layers = golden["layers"];
  options.stack.bidirectional = true;
  if (!pooling.empty()) {
    options.labels = 3;
    options.pooling = poolings.at(pooling);
    options.label_weights = GoldenLabelers()["weights"].get<Floats>();
  }
  if (!tags.empty()) options.tags = 4;
  options.label_smoothing = golden["smoothing"];
  options.crf = tags == "CRF";
  return options;
}

void ExpectAsPyTorch(const nlohmann::json& golden) {
  SequenceLabeler model(OptionsOf(golden));
  Parameters& parameters = model.parameters();
  const nlohmann::json& of = golden["parameters"];
  ASSERT_EQ(of.size(), parameters.list().size());
  for (size_t i = 0; i < of.size(); ++i) {
    ASSERT_EQ(of[i]["name"], parameters.list()[i].name);
    ASSERT_EQ(of[i]["shape"], parameters.list()[i].shape);
    std::ranges::copy(of[i]["value"].get<Floats>(), parameters.value(static_cast<int>(i)));
  }
  const auto tokens = golden["tokens"].get<std::vector<int32_t>>();
  const auto labels = golden["labels"].get<std::vector<int32_t>>();
  const auto tags = golden["tags"].get<std::vector<int32_t>>();
  const auto lengths = GoldenLabelers()["lengths"].get<std::vector<int64_t>>();
  const LabelSum sum = model.Forward(
      {PackedSteps::OfLengths(lengths), tokens.data(), labels.data(), tags.data()}, {});
  model.Backward();
  // Ours is float32: some 1e-7 a rounding, 5 time steps, 2 layers.
  const double loss = golden["loss"];
  EXPECT_NEAR(sum.loss, loss, 2e-6 * loss);
  for (size_t i = 0; i < of.size(); ++i) {
    const auto expected = of[i]["gradient"].get<Floats>();
    float largest = 0.0f;
    for (const float x : expected) largest = std::max(largest, std::abs(x));
    const float* gradient = parameters.gradient(static_cast<int>(i));
    EXPECT_THAT(Floats(gradient, gradient + expected.size()),
                Pointwise(FloatNear(1e-5f * largest), expected))
        << of[i]["name"];
  }
}

TEST(LabelerGoldenTest, LossesAndGradientsAreAsPyTorch) {
  ASSERT_EQ(GoldenLabelers()["cases"].size(), 5u);
  for (const nlohmann::json& golden : GoldenLabelers()["cases"]) {
    SCOPED_TRACE(golden["cell"].get<std::string>() + " " + golden["pooling"].get<std::string>() +
                 " " + golden["tag_loss"].get<std::string>());
    ExpectAsPyTorch(golden);
  }
}

}  // namespace
}  // namespace lockstep::worker
