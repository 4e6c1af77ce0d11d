// Losses and gradients of the encoder and decoder against the plain-loop reference in double.

#include "worker/models/encoder_decoder.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/worker/central_difference.h"
#include "tests/worker/model_case.h"
#include "tests/worker/models/pair_case.h"

namespace lockstep::worker {
namespace {

// float32 has 6e-8 a rounding; a value of these cases passes through some tens of them.
constexpr double kLossTolerance = 2e-6;
// Of the gradient's norm, and of the step along it; central differences add about 1e-9.
constexpr double kGradientTolerance = 2e-5;

// A random direction through one parameter's values, zero elsewhere.
std::vector<double> DirectionOf(const Parameters& parameters, const Parameter& parameter,
                                std::mt19937& generator) {
  std::vector<double> direction(parameters.size(), 0.0);
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < parameter.size; ++i) direction[parameter.offset + i] = normal(generator);
  return direction;
}

// Along two directions for each parameter, which no single wrong element escapes.
void ExpectGradient(const PairCase& of, ReferenceEncoderDecoder& reference,
                    const std::vector<int32_t>& inputs) {
  const Parameters& parameters = of.model.parameters();
  std::mt19937 generator(6);
  for (const Parameter& parameter : parameters.list()) {
    const auto slice = parameters.gradient().subspan(parameter.offset, parameter.size);
    const std::vector<double> gradient(slice.begin(), slice.end());
    for (int i = 0; i < 2; ++i) {
      const auto direction = DirectionOf(parameters, parameter, generator);
      const double expected = CentralDifference(reference.values(), direction, [&] {
        return reference.Loss(of.batch(), inputs, &of.site);
      });
      double slope = 0.0;
      for (int64_t j = 0; j < parameter.size; ++j) {
        slope += gradient[j] * direction[parameter.offset + j];
      }
      EXPECT_NEAR(slope, expected, kGradientTolerance * Norm(gradient) * 3.0 + 1e-7)
          << parameter.name;
      EXPECT_GT(Norm(gradient), 0.0) << parameter.name;
    }
  }
}

void ExpectAsReference(PairCase& of, double sampling = 0.0) {
  ReferenceEncoderDecoder reference = of.Reference();
  const auto inputs = reference.SampledInputs(of.batch(), of.site, sampling);
  const double loss = reference.Loss(of.batch(), inputs, &of.site);
  const PairSum sum = of.Run(sampling);
  EXPECT_NEAR(sum.loss, loss, kLossTolerance * loss);
  EXPECT_EQ(sum.weight, static_cast<double>(of.target.rows()));
  ExpectGradient(of, reference, inputs);
}

struct Shape {
  Conditioning conditioning;
  bool input_feeding;
  bool vector;
  const char* name;
};

const Shape kShapes[] = {
    {Conditioning::kState, false, false, "State"},
    {Conditioning::kContext, false, false, "Context"},
    {Conditioning::kBahdanau, false, false, "Bahdanau"},
    {Conditioning::kLuong, false, false, "Luong"},
    {Conditioning::kLuong, true, false, "LuongFeeding"},
    {Conditioning::kState, false, true, "VectorState"},
    {Conditioning::kContext, false, true, "VectorContext"},
};

EncoderDecoderOptions OptionsOf(const Shape& shape) {
  EncoderDecoderOptions options = SmallPairOptions(shape.conditioning, shape.vector);
  options.input_feeding = shape.input_feeding;
  return options;
}

class EncoderDecoderTest : public testing::TestWithParam<std::tuple<Shape, Cell, int, bool>> {
 protected:
  EncoderDecoderOptions Options() const {
    const auto& [shape, cell, layers, bidirectional] = GetParam();
    EncoderDecoderOptions options = OptionsOf(shape);
    options.stack.cell = cell;
    options.stack.layers = layers;
    options.stack.bidirectional = bidirectional;
    return options;
  }
};

TEST_P(EncoderDecoderTest, LossAndGradientAsReference) {
  PairCase of(Options());
  ExpectAsReference(of);
  // Evaluation has the same loss.
  const PairSum sum = of.model.Evaluate(of.batch());
  ReferenceEncoderDecoder reference = of.Reference();
  const double loss = reference.Loss(of.batch(), of.inputs, nullptr);
  EXPECT_NEAR(sum.loss, loss, kLossTolerance * loss);
}

TEST_P(EncoderDecoderTest, DropoutAsReference) {
  EncoderDecoderOptions options = Options();
  options.stack.dropout = 0.3;
  options.stack.residual = options.stack.layers > 1;
  PairCase of(options);
  ExpectAsReference(of);
  ReferenceEncoderDecoder reference = of.Reference();
  const double loss = reference.Loss(of.batch(), of.inputs, nullptr);
  EXPECT_NEAR(of.model.Evaluate(of.batch()).loss, loss, kLossTolerance * loss);
}

TEST_P(EncoderDecoderTest, ProjectionAsReference) {
  EncoderDecoderOptions options = Options();
  if (!FactsOf(options.stack.cell).has_c) return;  // GRUs are not projected
  options.stack.cell_size = options.stack.hidden_size + 3;
  options.stack.dropout = 0.3;
  PairCase of(options);
  ExpectAsReference(of);
}

std::string NameOf(const testing::TestParamInfo<std::tuple<Shape, Cell, int, bool>>& info) {
  const auto& [shape, cell, layers, bidirectional] = info.param;
  return shape.name + CellName(cell) + std::to_string(layers) + (bidirectional ? "Bi" : "");
}

INSTANTIATE_TEST_SUITE_P(Shapes, EncoderDecoderTest,
                         testing::Combine(testing::ValuesIn(kShapes),
                                          testing::Values(Cell::kLstm, Cell::kGru),
                                          testing::Values(1, 2), testing::Bool()),
                         NameOf);

class EncoderDecoderShapeTest : public testing::TestWithParam<Shape> {
 protected:
  EncoderDecoderOptions Options() const { return OptionsOf(GetParam()); }
};

TEST_P(EncoderDecoderShapeTest, OneHotTokens) {
  EncoderDecoderOptions options = Options();
  options.embedding_size = 0;
  options.stack.dropout = 0.2;
  PairCase of(options);
  EXPECT_EQ(of.model.source_embedding(), -1);
  EXPECT_EQ(of.model.target_embedding(), -1);
  ExpectAsReference(of);
}

TEST_P(EncoderDecoderShapeTest, TiedEmbedding) {
  EncoderDecoderOptions options = Options();
  options.embedding_size = options.stack.hidden_size;
  options.tie_embedding = true;
  PairCase of(options);
  EXPECT_EQ(of.model.parameters().Find("projection.weight"), -1);
  ExpectAsReference(of);
}

TEST_P(EncoderDecoderShapeTest, ScheduledSamplingAsReference) {
  for (const double dropout : {0.0, 0.3}) {
    EncoderDecoderOptions options = Options();
    options.stack.dropout = dropout;
    PairCase of(options);
    ReferenceEncoderDecoder reference = of.Reference();
    const auto inputs = reference.SampledInputs(of.batch(), of.site, 0.5);
    EXPECT_NE(inputs, of.inputs);
    EXPECT_NE(inputs, reference.SampledInputs(of.batch(), of.site, 1.0));
    ExpectAsReference(of, 0.5);
    ExpectAsReference(of, 1.0);
  }
}

// At probability 1 the loss is that of teacher forcing with what the model itself says, as a greedy
// translation has it.
TEST_P(EncoderDecoderShapeTest, SamplingAlwaysFeedsOwnOutputs) {
  PairCase of(Options());
  const double loss = of.model.Forward(of.batch(), of.site, 1.0).loss;
  ReferenceEncoderDecoder reference = of.Reference();
  PairBatch own = of.batch();
  const auto inputs = reference.SampledInputs(of.batch(), of.site, 1.0);
  own.inputs = inputs.data();
  EXPECT_NEAR(of.model.Evaluate(own).loss, loss, kLossTolerance * loss);
}

TEST_P(EncoderDecoderShapeTest, APairIsTheSameInAnyBatch) {
  EncoderDecoderOptions options = Options();
  options.stack.dropout = 0.3;
  options.stack.layers = 2;
  PairCase of(options);
  const PairSum whole = of.Run(0.4);
  const auto all = of.model.parameters().gradient();
  const std::vector<float> gradient(all.begin(), all.end());
  std::ranges::fill(all, 0.0f);
  double loss = 0.0;
  for (int64_t item = 0; item < of.target.items(); ++item) {
    DropoutSite site = of.site;
    site.lanes = nullptr;
    site.first_lane = of.lanes[item];
    loss += of.model.Forward(of.One(item), site, 0.4).loss;
    of.model.Backward();
  }
  EXPECT_NEAR(loss, whole.loss, kLossTolerance * loss);
  EXPECT_THAT(all, testing::Pointwise(testing::FloatNear(2e-5f), gradient));
}

TEST_P(EncoderDecoderShapeTest, TheSameEachTime) {
  EncoderDecoderOptions options = Options();
  options.stack.dropout = 0.3;
  PairCase of(options), again(options);
  const PairSum first = of.Run(0.4);
  of.model.Evaluate(of.One(0));  // leaves nothing behind
  EXPECT_EQ(of.Run(0.4).loss, first.loss);
  EXPECT_EQ(again.Run(0.4).loss, first.loss);
  const auto a = of.model.parameters().gradient(), b = again.model.parameters().gradient();
  EXPECT_TRUE(std::ranges::equal(a, b));
}

TEST_P(EncoderDecoderShapeTest, CountsCorrectTokens) {
  PairCase of(Options());
  ReferenceEncoderDecoder reference = of.Reference();
  int64_t expected = 0;
  std::vector<int32_t> likeliest(of.target.rows());
  for (int64_t item = 0; item < of.target.items(); ++item) {
    std::vector<int32_t> own;
    for (int64_t t = 0; t < of.target.length(item); ++t) {
      own.push_back(of.inputs[of.target.first_row(t) + item]);
    }
    const auto rows = reference.LogProbabilities(of.batch(), item, own, nullptr);
    for (int64_t t = 0; t < of.target.length(item); ++t) {
      const int64_t row = of.target.first_row(t) + item;
      likeliest[row] = static_cast<int32_t>(std::ranges::max_element(rows[t]) - rows[t].begin());
      expected += likeliest[row] == of.targets[row];
    }
  }
  double correct = -1.0;
  of.model.Evaluate(of.batch(), &correct);
  EXPECT_EQ(correct, static_cast<double>(expected));
  PairBatch right = of.batch();
  right.targets = likeliest.data();
  of.model.Evaluate(right, &correct);
  EXPECT_EQ(correct, static_cast<double>(of.target.rows()));
}

INSTANTIATE_TEST_SUITE_P(Shapes, EncoderDecoderShapeTest, testing::ValuesIn(kShapes),
                         [](const auto& test) { return std::string(test.param.name); });

// What malloc has given out; 0 where it does not say (under a sanitizer).
int64_t AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

// A batch of `items` pairs of `rows` rows each.
struct UniformPairs {
  UniformPairs(const EncoderDecoderOptions& options, int64_t rows, int64_t items)
      : tokens(rows * items), source_of(items) {
    vectors.resize(items * options.source_vector_size);
    for (int64_t i = 0; i < items; ++i) source_of[i] = items - 1 - i;
    batch.source = PackedSteps::Uniform(options.source_vector_size > 0 ? 1 : rows, items);
    batch.source_tokens = tokens.data();
    batch.source_vectors = vectors.data();
    batch.target = PackedSteps::Uniform(rows, items);
    batch.inputs = batch.targets = tokens.data();
    batch.source_of = source_of.data();
  }
  std::vector<int32_t> tokens;
  std::vector<float> vectors;
  std::vector<int64_t> source_of;
  PairBatch batch;
};

TEST_P(EncoderDecoderShapeTest, SaysWhatMemoryItTakes) {
  for (const bool large : {false, true}) {
    EncoderDecoderOptions options = Options();
    options.source_vector_size *= 8;
    options.target_vocabulary_size = 500;
    options.embedding_size = 48;
    options.stack.hidden_size = 64;
    options.stack.dropout = large ? 0.2 : 0.0;
    options.stack.layers = large ? 2 : 1;
    options.stack.bidirectional = large;
    options.stack.cell_size = large ? 160 : 0;
    const int64_t rows = 20, items = large ? 24 : 16;
    EncoderDecoder model(options);
    const UniformPairs pairs(options, rows, items);
    const int64_t before = AllocatedBytes();
    if (before == 0) GTEST_SKIP() << "malloc does not say what it has given out";
    model.Forward(pairs.batch, {});
    model.Backward();
    const auto taken = static_cast<double>(AllocatedBytes() - before);
    const auto said = static_cast<double>(model.WorkingBytes(rows, items));
    EXPECT_LT(taken, 1.1 * said);
    EXPECT_GT(taken, 0.7 * said);
  }
}

TEST(EncoderDecoderOptionsTest, RefusesWhatCannotBe) {
  const auto refuses = [](auto change, bool vector = false) {
    EncoderDecoderOptions options = SmallPairOptions(Conditioning::kBahdanau);
    if (vector) options = SmallPairOptions(Conditioning::kState, true);
    change(options);
    EXPECT_THROW(EncoderDecoder(options, Pass::kNone), std::invalid_argument);
  };
  using Options = EncoderDecoderOptions;
  refuses([](Options& o) { o.source_vocabulary_size = 0; });
  refuses([](Options& o) { o.source_vector_size = 3; });
  refuses([](Options& o) { o.target_vocabulary_size = 0; });
  refuses([](Options& o) { o.tie_embedding = true; });
  refuses([](Options& o) { o.label_smoothing = 1.0; });
  refuses([](Options& o) { o.conditioning = Conditioning::kLuong; }, true);
}

}  // namespace
}  // namespace lockstep::worker
