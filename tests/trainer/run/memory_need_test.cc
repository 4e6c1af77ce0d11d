#include "trainer/run/memory_need.h"

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

worker::LanguageModelOptions Small() {
  worker::LanguageModelOptions options;
  options.vocabulary_size = 100;
  options.embedding_size = 16;
  options.layers = 2;
  options.hidden_size = 32;
  return options;
}

TEST(MemoryNeedTest, IsThatOfTheModelAndTheOptimizer) {
  const worker::LanguageModel model(Small());
  const worker::OptimizerOptions rules[] = {worker::AdamOptions{}, worker::SgdOptions{},
                                            worker::SgdOptions{.momentum = 0.9}};
  for (const auto& rule : rules) {
    const worker::Optimizer optimizer(rule, model.parameters().size());
    const MemoryNeed need = NeedOf(Small(), rule, 20, 4, 12);
    EXPECT_EQ(need.parameters, model.parameters().size());
    EXPECT_EQ(need.fixed_bytes,
              4 * model.parameters().size() * (2 + std::ssize(optimizer.slots())));
    EXPECT_EQ(need.working_bytes, model.WorkingBytes(20, 4));
    EXPECT_EQ(need.checkpoint_bytes, 5 * 2 * 12 * 32 * 4);
  }
}

// 10^15 bytes: no machine could have allocated them.
TEST(MemoryNeedTest, IsKnownWhereNothingCouldBeAllocated) {
  worker::LanguageModelOptions huge = Small();
  huge.vocabulary_size = 2'000'000'000;
  huge.embedding_size = huge.hidden_size = 30'000;
  EXPECT_GT(NeedOf(huge, worker::AdamOptions{}, 20, 4, 12).bytes(), int64_t{1'000'000'000'000'000});
}

}  // namespace
}  // namespace lockstep::trainer
