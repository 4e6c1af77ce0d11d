// All of worker/ together: a model learns a word by heart and spells it.

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/models/initialization.h"
#include "worker/models/sampling.h"
#include "worker/optimizers/clip.h"
#include "worker/optimizers/optimizer.h"

namespace lockstep::worker {
namespace {

const std::string kLetters = "ehlo";

class LearningTest : public testing::TestWithParam<Cell> {};

// The letter l is followed by l once and by o once: only the state knows which.
TEST_P(LearningTest, HelloContinuesH) {
  LanguageModel model({.vocabulary_size = 4,
                       .embedding_size = 0,
                       .cell = GetParam(),
                       .layers = 1,
                       .hidden_size = 16});
  Initialize(model.parameters(), {});
  Optimizer optimizer(AdamOptions{}, model.parameters().size());
  const std::array<int32_t, 5> hello = {1, 0, 2, 2, 3};
  const TokenBatch batch{4, 1, hello.data(), hello.data() + 1};
  double loss = 0.0;
  for (uint64_t step = 0; step < 150; ++step) {
    const auto gradient = model.parameters().gradient();
    std::ranges::fill(gradient, 0.0f);
    RecurrentState state = model.ZeroState(1);
    loss = model.Forward(batch, state, {.batch = step});
    model.Backward();
    optimizer.Step(model.parameters().values(), gradient, 0.03,
                   {.factor = NormClipFactor(GlobalNorm(gradient), 1.0)});
  }
  EXPECT_LT(loss / 4.0, 0.05);

  RecurrentState state = model.ZeroState(1);
  model.BeginNextLogits();
  std::string text;
  for (int32_t letter = 1; text.size() < 4; text += kLetters[letter]) {
    const auto logits = model.NextLogits({&letter, 1}, state);
    letter = SampleTokens(1, logits, {.temperature = 0.0}, text.size()).front();
  }
  EXPECT_EQ(text, "ello");
}

INSTANTIATE_TEST_SUITE_P(All, LearningTest, testing::ValuesIn(AllCells()),
                         [](const auto& test) { return CellName(test.param); });

}  // namespace
}  // namespace lockstep::worker
