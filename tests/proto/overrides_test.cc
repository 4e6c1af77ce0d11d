#include "proto/overrides.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "proto/field_text.h"
#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

RunConfig Override(const std::string& text, const std::vector<std::string>& overrides) {
  RunConfig config = ParseRunConfig(text, "text");
  for (const std::string& override_text : overrides) ApplyOverride(override_text, config);
  return config;
}

std::string Failure(const std::string& override_text) {
  RunConfig config;
  try {
    ApplyOverride(override_text, config);
  } catch (const ConfigError& error) {
    EXPECT_TRUE(pb::util::MessageDifferencer::Equals(config, RunConfig())) << override_text;
    return error.what();
  }
  return {};
}

// A value that the field may have and that is not its default.
std::string OtherValue(const pb::FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return field.default_value_bool() ? "false" : "true";
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return "7";  // as a list of numbers, too
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return field.enum_type()
          ->value(field.default_value_enum()->number() == field.enum_type()->value(0)->number() ? 1
                                                                                                : 0)
          ->name();
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return field.options().GetExtension(range).starts_with("[1,") ? "2.5" : "0.0625";
    default:
      return "77";
  }
}

TEST(OverridesTest, ReachEveryScalarOfTheSchema) {
  for (const auto& [path, field] : AllFields()) {
    if (IsMessage(*field)) continue;
    const std::string value = OtherValue(*field);
    const RunConfig config = Override("", {path + "=" + value});
    const pb::Message& parent = ParentOf(config, path);
    EXPECT_TRUE(parent.GetReflection()->HasField(parent, field)) << path;
    const bool is_text = field->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING;
    EXPECT_EQ(FieldText(parent, *field), is_text ? "\"" + value + "\"" : value) << path;
    const std::unique_ptr<pb::Message> fresh(parent.New());
    EXPECT_NE(FieldText(*fresh, *field), FieldText(parent, *field))
        << path << ": not another value";
  }
}

TEST(OverridesTest, ReachEveryMessageOfTheSchema) {
  for (const auto& [path, field] : AllFields()) {
    if (!IsMessage(*field)) continue;
    const RunConfig config = Override("", {path + "={}"});
    const pb::Message& parent = ParentOf(config, path);
    EXPECT_TRUE(parent.GetReflection()->HasField(parent, field)) << path;
  }
}

TEST(OverridesTest, WinOverTheFileAndOverEarlierOnes) {
  EXPECT_EQ(Override("data { lanes: 3 }", {"data.lanes=4", "data.lanes=5"}).data().lanes(), 5);
}

TEST(OverridesTest, LeaveTheRestAlone) {
  const RunConfig config =
      Override("optimizer { adam { beta2: 0.5 } learning_rate: 2 } data { lanes: 3 }",
               {"optimizer.adam.beta1=0.25"});
  EXPECT_EQ(config.optimizer().adam().beta1(), 0.25);
  EXPECT_EQ(config.optimizer().adam().beta2(), 0.5);
  EXPECT_EQ(config.optimizer().learning_rate(), 2);
  EXPECT_EQ(config.data().lanes(), 3);
}

TEST(OverridesTest, AnAlternativeTakesThePlaceOfTheOther) {
  const std::string adam = "optimizer { adam { beta1: 0.5 } } training { epochs: 3 }";
  EXPECT_TRUE(Override(adam, {"optimizer.adamw={}"}).optimizer().has_adamw());
  const RunConfig switched = Override(adam, {"optimizer.adamw.beta1=0.75", "training.steps=9"});
  EXPECT_EQ(switched.optimizer().rule_case(), Optimizer::kAdamw);
  EXPECT_EQ(switched.optimizer().adamw().beta1(), 0.75);
  EXPECT_EQ(switched.training().length_case(), Training::kSteps);
  EXPECT_EQ(switched.training().steps(), 9);
}

TEST(OverridesTest, BracesReplaceAMessage) {
  const RunConfig config =
      Override("optimizer { adamw { beta1: 0.5 beta2: 0.5 } }", {"optimizer.adamw={beta1: 0.75}"});
  EXPECT_EQ(config.optimizer().adamw().beta1(), 0.75);
  EXPECT_FALSE(config.optimizer().adamw().has_beta2());
}

TEST(OverridesTest, ReplacedMessagesAreCompletedOnLoading) {
  const RunConfig config =
      ParseRunConfig("", "text", std::vector<std::string>{"optimizer.adamw={beta1: 0.75}"});
  EXPECT_EQ(config.optimizer().adamw().beta1(), 0.75);
  EXPECT_TRUE(config.optimizer().adamw().has_beta2());
}

TEST(OverridesTest, TextNeedsNoQuotes) {
  EXPECT_EQ(Override("", {"training.folder=runs/my run"}).training().folder(), "runs/my run");
  EXPECT_EQ(Override("", {"training.folder=\"a b \""}).training().folder(), "a b ");
  EXPECT_EQ(Override("", {"training.folder='a'"}).training().folder(), "a");
  EXPECT_EQ(Override("", {"training.folder=a=b"}).training().folder(), "a=b");
  EXPECT_EQ(Override("", {R"(training.folder=a\n"#)"}).training().folder(), R"(a\n"#)");
}

TEST(OverridesTest, BlanksAroundNameAndValueDoNotMatter) {
  EXPECT_EQ(Override("", {" data.lanes = 7 "}).data().lanes(), 7);
  EXPECT_EQ(Override("", {" training.folder = a "}).training().folder(), "a");
}

TEST(OverridesTest, UnknownNamesAreAnsweredWithKnownOnes) {
  EXPECT_EQ(Failure("optimizer.learning_rat=1"),
            "--set optimizer.learning_rat=1: unknown name \"optimizer.learning_rat\"; did you mean "
            "learning_rate?");
  EXPECT_THAT(Failure("optimiser.learning_rate=1"), HasSubstr("did you mean optimizer?"));
  EXPECT_THAT(Failure("data.batch=1"), HasSubstr("known here: path, lanes, time_steps, split"));
  EXPECT_THAT(Failure("optimizer.adamw={beta_1: 0.5}"),
              HasSubstr("unknown name \"optimizer.adamw.beta_1\"; did you mean beta1?"));
  EXPECT_THAT(Failure("model.cell=GRUU"), HasSubstr("model.cell is GRUU; did you mean GRU?"));
  EXPECT_THAT(Failure("=1"), HasSubstr("unknown name \"\""));
  EXPECT_THAT(Failure("data..lanes=1"), HasSubstr("unknown name \"data.\""));
}

TEST(OverridesTest, ValuesThatTheSchemaDoesNotAllow) {
  EXPECT_EQ(Failure("optimizer.learning_rate=-1"),
            "--set optimizer.learning_rate=-1: optimizer.learning_rate is -1; allowed: (0, inf)");
  EXPECT_THAT(Failure("data.lanes=a"), HasSubstr("allowed: a whole number in [1, 1000000]"));
  EXPECT_THAT(Failure("data.lanes="), HasSubstr("there is no value"));
  EXPECT_THAT(Failure("data.lanes"), HasSubstr("there is no ="));
  EXPECT_THAT(Failure("data.lanes.x=1"), HasSubstr("data.lanes has no fields"));
  EXPECT_THAT(Failure("data.path="), HasSubstr("allowed: a text that is not empty"));
  EXPECT_THAT(Failure("optimizer.adam=1"), HasSubstr("allowed: settings in braces, { }"));
  EXPECT_THAT(Failure("model.tie_embedding=yes"), HasSubstr("allowed: true or false"));
}

TEST(OverridesTest, SetOneFieldOnly) {
  for (const char* text :
       {"optimizer.adam={} learning_rate: 1", "optimizer.learning_rate=1 clip { }",
        "optimizer.adam={} } data { lanes: 3 ", "data.lanes=1 2", "data.lanes=1 }"}) {
    EXPECT_THAT(Failure(text), StartsWith(fmt::format("--set {}: ", text)));
  }
}

}  // namespace
}  // namespace lockstep::proto
