#include "trainer/run/memory_need.h"

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

TEST(MemoryNeedTest, IsThatOfTheModelAndTheOptimizer) {
  const worker::OptimizerOptions rules[] = {worker::AdamOptions{}, worker::SgdOptions{},
                                            worker::SgdOptions{.momentum = 0.9}};
  for (const auto& rule : rules) {
    const worker::Optimizer optimizer(rule, 1000);
    // A state of arrays of 3 x 32 and 3 x 50 floats a lane, on 12 lanes.
    const MemoryNeed need = NeedOf({1000, 77, 3 * 82, 3 * 50}, rule, {12});
    EXPECT_EQ(need.parameters, 1000);
    EXPECT_EQ(need.fixed_bytes, 4 * 1000 * (2 + std::ssize(optimizer.slots())));
    EXPECT_EQ(NeedOf({1000, 77, 0, 0}, rule, {12}, worker::ExponentialAveraging{}).fixed_bytes,
              need.fixed_bytes + 4 * 1000);
    // Of several ranks the pieces of a sum, too.
    EXPECT_EQ(NeedOf({1000, 77, 0, 0}, rule, {12, {3}, 3}).fixed_bytes,
              need.fixed_bytes + 4 * 3000);
    constexpr int64_t kBlock = 4096, kPiece = 1 << 20, kParameters = 100 * kPiece;
    const ModelSize large = {kParameters, 77, 0, 0};
    const MemoryNeed whole = NeedOf(large, rule, {12, {4}, 4});
    EXPECT_EQ(whole.fixed_bytes,
              kParameters * 4 * (2 + std::ssize(optimizer.slots())) + 4 * (4 * kPiece));
    EXPECT_EQ(NeedOf(large, rule, {12, {3}, 3}).fixed_bytes,
              whole.fixed_bytes + 4 * 4 * (3 * 86 * kBlock - kPiece));
    // Through hosts, a rank has its share of three as each of them and the host before sends it; of
    // 16 blocks of 64 at most 6.
    EXPECT_EQ(NeedOf({1000, 77, 0, 0}, rule, {12, {3, 3}, 6}).fixed_bytes,
              need.fixed_bytes + 4 * (4 * 6 * 64));
    // A quarter of the optimizer, all of which rank 0 puts together at a checkpoint.
    const MemoryNeed sharded = NeedOf(large, rule, {12, {4}, 4, {.result = SumResult::kShares}});
    EXPECT_EQ(sharded.fixed_bytes,
              whole.fixed_bytes - kParameters * 3 * std::ssize(optimizer.slots()));
    EXPECT_EQ(sharded.checkpoint_bytes,
              whole.checkpoint_bytes + 4 * kParameters * (1 + std::ssize(optimizer.slots())));
    EXPECT_EQ(need.working_bytes, 77);
    const int64_t copied = 4 * 1000 * (1 + std::ssize(optimizer.slots()));
    EXPECT_EQ(need.checkpoint_bytes, copied + (4 * 82 + 50) * 3 * 12 * 4);
    EXPECT_EQ(NeedOf({1000, 77, 0, 0}, rule, {12}).checkpoint_bytes, copied);
  }
}

}  // namespace
}  // namespace lockstep::trainer
