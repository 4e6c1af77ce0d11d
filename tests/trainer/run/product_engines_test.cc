#include "trainer/run/product_engines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

using testing::HasSubstr;

std::string LookAt(ProductEngines& report, const std::map<std::string, int64_t>& engines) {
  testing::internal::CaptureStderr();
  report.Look(engines);
  return testing::internal::GetCapturedStderr();
}

TEST(ProductEnginesTest, TellsOnceAndWarnsOnceOfReferenceCode) {
  Console console(false, Console::Mode::kPlain);
  ProductEngines report(console);
  std::map<std::string, int64_t> engines = {{"oneDNN brg:avx512_core", 7}, {"panels AVX3", 2}};
  EXPECT_EQ(LookAt(report, engines),
            "matrix products of a step: 7 by oneDNN brg:avx512_core, 2 by panels AVX3\n");
  EXPECT_EQ(LookAt(report, engines), "");
  // A shorter last batch, or an evaluation.
  engines["oneDNN ref:any"] = 3;
  const std::string warning = LookAt(report, engines);
  EXPECT_THAT(warning, HasSubstr("warning: 3 of the matrix products"));
  EXPECT_THAT(warning, HasSubstr("oneDNN ref:any"));
  EXPECT_EQ(LookAt(report, engines), "");
}

}  // namespace
}  // namespace lockstep::trainer
