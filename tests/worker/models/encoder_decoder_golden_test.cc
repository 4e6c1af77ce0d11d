// Encoders and decoders against PyTorch's numbers.

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::worker {
namespace {

EncoderDecoderOptions OptionsOf(const nlohmann::json& golden, const nlohmann::json& model) {
  EncoderDecoderOptions options;
  options.source_vocabulary_size = golden["source_vocabulary"];
  options.target_vocabulary_size = golden["target_vocabulary"];
  options.embedding_size = golden["embedding"];
  options.stack.hidden_size = golden["hidden"];
  options.stack.layers = 2;
  options.stack.bidirectional = true;
  options.stack.cell = model["cell"] == "LSTM" ? Cell::kLstm : Cell::kGru;
  options.conditioning = model["name"] == "luong" ? Conditioning::kLuong : Conditioning::kBahdanau;
  options.input_feeding = true;
  options.label_smoothing = model["label_smoothing"];
  return options;
}

class EncoderDecoderGoldenTest : public testing::TestWithParam<int> {};

TEST_P(EncoderDecoderGoldenTest, LossAndGradientsAsPyTorch) {
  const nlohmann::json& golden = GoldenEncoderDecoders();
  const nlohmann::json& expected = golden["models"][GetParam()];
  EncoderDecoder model(OptionsOf(golden, expected));
  Parameters& parameters = model.parameters();
  ASSERT_EQ(parameters.list().size(), expected["parameters"].size());
  for (const nlohmann::json& parameter : expected["parameters"]) {
    const int index = parameters.Find(parameter["name"]);
    ASSERT_GE(index, 0) << parameter["name"];
    const std::vector<float> values = parameter["value"];
    ASSERT_EQ(static_cast<int64_t>(values.size()), parameters.list()[index].size);
    std::ranges::copy(values, parameters.value(index));
  }
  PairBatch batch;
  batch.source = PackedSteps::OfLengths(golden["source_lengths"].get<std::vector<int64_t>>());
  batch.target = PackedSteps::OfLengths(golden["target_lengths"].get<std::vector<int64_t>>());
  const std::vector<int32_t> sources = expected["source_tokens"], inputs = expected["inputs"],
                             targets = expected["targets"];
  const std::vector<int64_t> source_of = golden["source_of"];
  batch.source_tokens = sources.data();
  batch.inputs = inputs.data();
  batch.targets = targets.data();
  batch.source_of = source_of.data();
  const PairSum sum = model.Forward(batch, {});
  const double loss = expected["loss"];
  EXPECT_NEAR(sum.loss, loss, 1e-6 * loss);
  model.Backward();
  for (const nlohmann::json& parameter : expected["parameters"]) {
    const int index = parameters.Find(parameter["name"]);
    const std::vector<float> gradient = parameter["gradient"];
    const float* actual = parameters.gradient(index);
    // Of the largest: sums cancel. (Roundings of the gates alone move attention.query.weight's by
    // up to 1.6e-5 of it between instruction sets.)
    const float largest =
        std::abs(*std::ranges::max_element(gradient, {}, [](float x) { return std::abs(x); }));
    EXPECT_THAT(std::vector<float>(actual, actual + gradient.size()),
                testing::Pointwise(testing::FloatNear(3e-5f * largest), gradient))
        << parameter["name"];
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderDecoderGoldenTest, testing::Values(0, 1));

}  // namespace
}  // namespace lockstep::worker
