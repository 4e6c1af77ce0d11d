#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;
using ::testing::HasSubstr;

TEST(ValidateTest, NamesTheFieldItsValueAndWhatIsAllowed) {
  EXPECT_EQ(ParseFailure("optimizer { learning_rate: -1 }"),
            "run.textproto: optimizer.learning_rate is -1; allowed: (0, inf)");
  EXPECT_EQ(ParseFailure("data { lanes: 0 }"),
            "run.textproto: data.lanes is 0; allowed: [1, 1000000]");
  EXPECT_EQ(ParseFailure("model { dropout: 1 }"),
            "run.textproto: model.dropout is 1; allowed: [0, 1)");
  EXPECT_EQ(ParseFailure("optimizer { adamw { beta2: 1.5 } }"),
            "run.textproto: optimizer.adamw.beta2 is 1.5; allowed: [0, 1)");
  EXPECT_EQ(ParseFailure("data { path: \"\" }"),
            "run.textproto: data.path is \"\"; allowed: a text that is not empty");
}

TEST(ValidateTest, RefusesInfinityAndNanInEveryFloat) {
  for (const auto& [path, field] : AllFields()) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_DOUBLE) continue;
    for (const char* value : {"nan", "inf", "-inf", "1e999"}) {
      EXPECT_THAT(ParseFailure("", {fmt::format("{}={}", path, value)}), HasSubstr("allowed: "))
          << path << " " << value;
    }
  }
}

// No range may be so wide that it forbids nothing: each whole number but the seed has a bound.
TEST(ValidateTest, RefusesTheSmallestNumberInEveryWholeNumber) {
  for (const auto& [path, field] : AllFields()) {
    const bool wide = field->cpp_type() == pb::FieldDescriptor::CPPTYPE_INT64;
    if (!wide && field->cpp_type() != pb::FieldDescriptor::CPPTYPE_INT32) continue;
    const std::int64_t smallest =
        wide ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int32_t>::min();
    EXPECT_THAT(ParseFailure("", {fmt::format("{}={}", path, smallest)}),
                HasSubstr(fmt::format("{} is {}; allowed: ", path, smallest)));
  }
}

TEST(ValidateTest, ValidatesAMessageThatWasBuiltInCode) {
  RunConfig config;
  config.mutable_checkpoint()->set_keep(0);
  try {
    ValidateRunConfig(config);
    FAIL() << "keep = 0 was accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "checkpoint.keep is 0; allowed: [1, 1000000]");
  }
}

TEST(ValidateTest, TiedEmbeddingNeedsEqualSizes) {
  EXPECT_EQ(ParseFailure("model { tie_embedding: true embedding_size: 8 hidden_size: 8 }"), "");
  EXPECT_THAT(ParseFailure("model { tie_embedding: true embedding_size: 8 hidden_size: 16 }"),
              HasSubstr("model.tie_embedding is true; allowed: true only when "
                        "model.embedding_size (8) equals model.hidden_size (16)"));
}

TEST(ValidateTest, CutoffsOfASoftmaxRise) {
  const auto failure = [](const std::string& cutoffs, const std::string& rest = "") {
    return ParseFailure("task { language_model { softmax_cutoffs: \"" + cutoffs + "\" } } " + rest);
  };
  for (const char* good : {"", "1", "4000,20000,60000"}) EXPECT_EQ(failure(good), "") << good;
  for (const char* bad : {"0", "-1", "x", "4000,", ",4000", "4000 20000", "4000,4000", "5,4", "1e3",
                          "99999999999999999999"}) {
    EXPECT_THAT(failure(bad), HasSubstr("allowed: rising numbers from 1 on with commas")) << bad;
  }
  EXPECT_THAT(failure("5", "model { tie_embedding: true embedding_size: 8 hidden_size: 8 }"),
              HasSubstr("model.tie_embedding is true; allowed: false with"));
  EXPECT_THAT(
      ParseFailure("task { language_model { softmax_cutoffs: \"5\" label_smoothing: 0.1 } }"),
      HasSubstr("label_smoothing is 0.1; allowed: 0 with"));
}

TEST(ValidateTest, ProjectionNeedsAnLstmOfMoreUnits) {
  const std::string sizes = " hidden_size: 16 projection_size: 8 ";
  for (const std::string cell : {"LSTM", "LSTM_PEEPHOLE"}) {
    EXPECT_EQ(ParseFailure("model { cell: " + cell + sizes + "}"), "");
  }
  EXPECT_EQ(ParseFailure("model { tie_embedding: true embedding_size: 8" + sizes + "}"), "");
  EXPECT_THAT(ParseFailure("model { tie_embedding: true embedding_size: 16" + sizes + "}"),
              HasSubstr("model.embedding_size (16) equals model.projection_size (8)"));
  EXPECT_THAT(ParseFailure("model { cell: GRU" + sizes + "}"),
              HasSubstr("model.projection_size is 8; allowed: 0, or less than model.hidden_size "
                        "(16) where model.cell (GRU) is LSTM or LSTM_PEEPHOLE"));
  EXPECT_THAT(ParseFailure("model { hidden_size: 16 projection_size: 16 }"),
              HasSubstr("model.projection_size is 16"));
  EXPECT_THAT(ParseFailure("task { forecast { } } model {" + sizes + "}"),
              HasSubstr("model.projection_size is 8; allowed: 0 with task.forecast"));
}

TEST(ValidateTest, NesterovNeedsMomentumWithoutDampening) {
  EXPECT_EQ(ParseFailure("optimizer { sgd { nesterov: true momentum: 0.9 } }"), "");
  EXPECT_THAT(ParseFailure("optimizer { sgd { nesterov: true } }"),
              HasSubstr("optimizer.sgd.nesterov is true"));
  EXPECT_THAT(ParseFailure("optimizer { sgd { nesterov: true momentum: 0.9 dampening: 0.1 } }"),
              HasSubstr("optimizer.sgd.dampening (0.1) is 0"));
}

TEST(ValidateTest, ForgetGateBiasNeedsAnLstm) {
  const std::string bias = " initialization { forget_gate_bias: 1 } }";
  EXPECT_EQ(ParseFailure("model { cell: LSTM" + bias), "");
  EXPECT_EQ(ParseFailure("model { cell: GRU initialization { forget_gate_bias: 0 } }"), "");
  EXPECT_THAT(ParseFailure("model { cell: GRU" + bias),
              HasSubstr("model.initialization.forget_gate_bias is 1; allowed: 0"));
}

TEST(ValidateTest, PlateauNeedsEvaluations) {
  const std::string plateau = "optimizer { schedule { plateau { } } } ";
  EXPECT_EQ(ParseFailure(plateau), "");
  EXPECT_THAT(ParseFailure(plateau + "evaluation { every_steps: 0 }"),
              HasSubstr("evaluation.every_steps is 0; allowed: 1 or more"));
  EXPECT_EQ(ParseFailure("evaluation { every_steps: 0 }"), "");
}

TEST(ValidateTest, TriggeredAveragingNeedsEvaluations) {
  const std::string triggered = "optimizer { averaging { nt_asgd { } } } ";
  EXPECT_EQ(ParseFailure(triggered), "");
  EXPECT_THAT(ParseFailure(triggered + "evaluation { every_steps: 0 }"),
              HasSubstr("evaluation.every_steps is 0; allowed: 1 or more"));
}

TEST(ValidateTest, WhatNotEveryTaskHas) {
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"model.locked_dropout", "true"},
      {"model.input_dropout", "0.5"},
      {"model.output_dropout", "0"},
      {"model.weight_drop", "0.5"},
      {"model.embedding_dropout", "0.25"}};
  for (const auto& [field, value] : settings) {
    const std::string override = field + "=" + value;
    for (const std::string task : {"", "task { classify { } }", "task { tag { } }"}) {
      EXPECT_EQ(ParseFailure(task, {override}), "") << task << override;
    }
    EXPECT_THAT(ParseFailure("task { translate { } }", {override}),
                AllOf(HasSubstr(field + " is "),
                      HasSubstr("with task.language_model, task.classify and task.tag")))
        << override;
  }
  EXPECT_EQ(ParseFailure("task { tag { } }", {"data.unknown_singletons=0.5"}), "");
  EXPECT_THAT(
      ParseFailure("", {"data.unknown_singletons=0.5"}),
      HasSubstr("data.unknown_singletons is 0.5; allowed: 0, but with task.classify and task.tag"));
  EXPECT_THAT(ParseFailure("", {"data.tokens_per_batch=100"}),
              HasSubstr("data.tokens_per_batch is 100; allowed: 0 with task.language_model"));
  EXPECT_EQ(ParseFailure("task { tag { } }", {"data.tokens_per_batch=100"}), "");
  EXPECT_THAT(ParseFailure("task { language_model { sampled_softmax: 9 label_smoothing: 0.1 } }"),
              HasSubstr("task.language_model.sampled_softmax is 9; allowed: 0 with"));
  EXPECT_THAT(ParseFailure("", {"model.freeze_pretrained=true"}),
              HasSubstr("allowed: true only with model.pretrained_vectors"));
  EXPECT_EQ(ParseFailure("", {"evaluation.sample_tokens=7"}), "");
  EXPECT_THAT(ParseFailure("task { classify { } }", {"evaluation.sample_tokens=7"}),
              HasSubstr("evaluation.sample_tokens is 7; allowed: 0, but with task.language_model"));
  for (const std::string field : {"model.input_dropout", "model.embedding_dropout"}) {
    EXPECT_THAT(ParseFailure("model { embedding_size: 0 }", {field + "=0.5"}),
                HasSubstr(field + " is 0.5; allowed: 0, since"));
  }
  EXPECT_EQ(ParseFailure("model { output_dropout: -1 }"), "");
  EXPECT_THAT(ParseFailure("model { output_dropout: -0.5 }"),
              HasSubstr("model.output_dropout is -0.5; allowed: -1 and [0, 1)"));
}

TEST(ValidateTest, EarlyStoppingNeedsEvaluations) {
  EXPECT_EQ(ParseFailure("evaluation { every_steps: 1 early_stopping { patience: 3 } }"), "");
  EXPECT_THAT(ParseFailure("evaluation { every_steps: 0 early_stopping { patience: 3 } }"),
              HasSubstr("evaluation.every_steps is 0; allowed: 1 or more"));
}

}  // namespace
}  // namespace lockstep::proto
