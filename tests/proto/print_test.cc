#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "proto/text_parser.h"
#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

using google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

// One setting for each alternative of each oneof, and values that are hard to write.
const std::vector<std::string> kSettings = {
    "",
    "optimizer { sgd { momentum: 0.1 } clip { value: 0.30000000000000004 } }",
    "optimizer { adamw { weight_decay: 1.2345678901234567e-7 } clip { none { } } }",
    "optimizer { rmsprop { } schedule { constant { } warmup_steps: 1000000000000 } }",
    "optimizer { adagrad { } schedule { step { factor: 0.1 } } }",
    "optimizer { learning_rate: 5e-324 schedule { exponential { } } }",
    "optimizer { learning_rate: 1.7976931348623157e308 schedule { plateau { } } }",
    "model { cell: GRU_RESET_BEFORE tie_embedding: false initialization { uniform: 0.08 } }",
    "model { tie_embedding: true embedding_size: 256 }",
    "training { steps: 3 seed: 18446744073709551615 }",
    "data { path: \"/数据/\\\"a\\\\b\\n\\t\\001\\377.h5\" }",
};

TEST(PrintTest, ReadsBackToAnEqualConfiguration) {
  for (const std::string& setting : kSettings) {
    const RunConfig config = ParseRunConfig(setting, "setting");
    const std::string printed = PrintRunConfig(config);
    const RunConfig back = ParseRunConfig(printed, "printed");
    EXPECT_TRUE(MessageDifferencer::Equals(config, back)) << printed;
    EXPECT_EQ(PrintRunConfig(back), printed);
  }
}

// ParseText fills nothing in, and Equals tells a field that is set from one that is not.
TEST(PrintTest, IsComplete) {
  EXPECT_TRUE(MessageDifferencer::Equals(ParseText(PrintRunConfig(RunConfig())),
                                         ParseRunConfig("", "empty")));
  for (const auto& [path, field] : AllFields()) {
    if (!IsMessage(*field)) continue;
    const RunConfig config = ParseRunConfig("", "empty", std::vector<std::string>{path + "={}"});
    EXPECT_TRUE(MessageDifferencer::Equals(ParseText(PrintRunConfig(config)), config)) << path;
  }
}

TEST(PrintTest, NestedMessagesAreIndented) {
  const std::string printed = PrintRunConfig(ParseRunConfig("optimizer { clip { none {} } }", ""));
  EXPECT_THAT(printed, HasSubstr("\noptimizer {\n  adam {\n    beta1: 0.9\n    beta2: 0.999\n"));
  EXPECT_THAT(printed, HasSubstr("  clip {\n    none {}\n  }\n"));
}

TEST(PrintTest, FloatsHaveTheFewestDigitsThatReadBack) {
  const std::string printed = PrintRunConfig(ParseRunConfig(
      "", "",
      std::vector<std::string>{"optimizer.learning_rate=0.1", "model.dropout=0.3333333333333333"}));
  EXPECT_THAT(printed, HasSubstr("learning_rate: 0.1\n"));
  EXPECT_THAT(printed, HasSubstr("dropout: 0.3333333333333333\n"));
}

TEST(PrintTest, TextIsReadableUtf8) {
  EXPECT_THAT(PrintRunConfig(ParseRunConfig("data { path: \"数据.h5\" }", "")),
              HasSubstr("path: \"数据.h5\"\n"));
}

}  // namespace
}  // namespace lockstep::proto
