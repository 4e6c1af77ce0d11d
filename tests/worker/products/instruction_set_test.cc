#include "worker/products/instruction_set.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/layers/gate_kernels.h"
#include "worker/products/gemm.h"
#include "worker/products/panel_product.h"

namespace lockstep::worker {
namespace {

TEST(InstructionSetTest, NamesWhatOneDnnMayUse) {
  const auto sets = InstructionSets();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.front().setting, "SSE41");
  EXPECT_THAT(GemmDescription(), testing::EndsWith(", " + sets.back().name));
  // tests/worker/under_instruction_set.sh asks for one that this machine has.
  const char* wanted = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (wanted) {
    EXPECT_EQ(sets.back().setting, wanted);
  }
}

// Highway's kernels follow oneDNN's ONEDNN_MAX_CPU_ISA.
TEST(InstructionSetTest, AllKernelsUseTheSame) {
  const std::string widest = InstructionSets().back().setting;
  const std::string expected = widest == "SSE41" || widest == "AVX" ? "SSE4"
                               : widest == "AVX2"                   ? "AVX2"
                                                                    : "AVX3";
  EXPECT_THAT(GateKernelTarget(), testing::StartsWith(expected));
  EXPECT_THAT(PanelProduct::Name(), testing::StartsWith("panels " + expected));
  EXPECT_TRUE(PanelProduct::HasVectors());
}

}  // namespace
}  // namespace lockstep::worker
