#include "proto/run_config.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "lockstep_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string LoadFailure(const std::filesystem::path& path) {
    try {
      LoadRunConfig(path, {});
    } catch (const ConfigError& error) {
      return error.what();
    }
    return {};
  }

  std::filesystem::path folder_;
};

TEST_F(LoadTest, ReadsAFileAndAppliesOverrides) {
  const std::filesystem::path path = folder_ / "run.textproto";
  std::ofstream(path) << "# a comment\ndata { path: \"a.h5\"  lanes: 32 }\n";
  const RunConfig config = LoadRunConfig(path, std::vector<std::string>{"data.lanes=16"});
  EXPECT_EQ(config.data().path(), "a.h5");
  EXPECT_EQ(config.data().lanes(), 16);
  EXPECT_TRUE(config.data().has_time_steps());
}

TEST_F(LoadTest, ErrorsNameTheFile) {
  const std::filesystem::path path = folder_ / "run.textproto";
  std::ofstream(path) << "data {\n\tlane: 32 }\n";
  EXPECT_EQ(LoadFailure(path),
            path.string() + ":2:9: unknown name \"data.lane\"; did you mean lanes?");
}

TEST_F(LoadTest, FilesThatCannotBeRead) {
  const std::string missing = (folder_ / "none").string();
  EXPECT_EQ(LoadFailure(missing),
            "cannot read the run configuration " + missing + ": No such file or directory");
  EXPECT_EQ(LoadFailure(folder_),
            "cannot read the run configuration " + folder_.string() + ": Is a directory");
}

TEST_F(LoadTest, RefusesAFileThatCannotBeAConfiguration) {
  const std::filesystem::path path = folder_ / "corpus.h5";
  std::ofstream(path) << std::string((1 << 20) + 1, ' ');
  EXPECT_THAT(LoadFailure(path), HasSubstr("longer than 1 MB"));
  std::ofstream(path) << std::string(1 << 20, ' ');
  EXPECT_EQ(LoadFailure(path), "");
}

// The example of the README.
TEST(RunConfigTest, ReadsWhatAPersonWrites) {
  const RunConfig config = ParseRunConfig(R"(
      data       { path: "shakespeare.h5"  lanes: 64  time_steps: 64 }
      model      { embedding_size: 64  cell: LSTM  layers: 2  hidden_size: 256  dropout: 0.2 }
      optimizer  { adam { }  learning_rate: 0.003  clip { global_norm: 1.0 }  schedule { cosine { } } }
      training   { folder: "runs/shakespeare"  epochs: 10  seed: 1 }          # or steps: 2000
      evaluation { every_steps: 500 }
      checkpoint { every_steps: 500  every_minutes: 10  keep: 3 })",
                                          "example");
  EXPECT_EQ(config.data().path(), "shakespeare.h5");
  EXPECT_EQ(config.model().cell(), LSTM);
  EXPECT_EQ(config.optimizer().clip().global_norm(), 1);
  EXPECT_EQ(config.training().epochs(), 10);
}

TEST(RunConfigTest, UnknownNamesAtAnyDepth) {
  EXPECT_EQ(ParseFailure("modell { }"),
            "run.textproto:1:1: unknown name \"modell\"; did you mean model?");
  EXPECT_EQ(ParseFailure("optimizer {\n  learning_rat: 3\n}"),
            "run.textproto:2:3: unknown name \"optimizer.learning_rat\"; did you mean "
            "learning_rate?");
  EXPECT_EQ(ParseFailure("optimizer {\n  adam {\n   beta3\n:\n0.5 } }"),
            "run.textproto:3:4: unknown name \"optimizer.adam.beta3\"; did you mean beta1?");
  EXPECT_EQ(ParseFailure("data { batch: 3 }"),
            "run.textproto:1:8: unknown name \"data.batch\"; known here: path, lanes, time_steps, "
            "split, tokens_per_batch, unknown_singletons");
}

TEST(RunConfigTest, UnknownEnumValues) {
  EXPECT_EQ(ParseFailure("model {\n cell: LSTMM\n  layers: 2 }"),
            "run.textproto:2:8: model.cell is LSTMM; did you mean LSTM?");
  EXPECT_EQ(ParseFailure("model { cell: 9 }"),
            "run.textproto:1:15: model.cell is 9; known here: RNN_TANH, RNN_RELU, LSTM, GRU, "
            "GRU_RESET_BEFORE, LSTM_PEEPHOLE");
}

TEST(RunConfigTest, FieldsGivenTwice) {
  EXPECT_EQ(ParseFailure("data { lanes: 3\n lanes: 4 }"),
            "run.textproto:2:2: data.lanes: Non-repeated field \"lanes\" is specified multiple "
            "times");
  EXPECT_THAT(ParseFailure("data { }\ndata { }"), StartsWith("run.textproto:2:1: data: "));
}

TEST(RunConfigTest, TwoAlternatives) {
  const std::string failure = ParseFailure("optimizer { adam { }\n sgd { } }");
  EXPECT_THAT(failure, StartsWith("run.textproto:2:2: optimizer.sgd: "));
  EXPECT_THAT(failure, HasSubstr("\"adam\""));
}

TEST(RunConfigTest, ValuesOfAnotherType) {
  EXPECT_EQ(ParseFailure("data { lanes: \"a\" }"),
            "run.textproto:1:15: data.lanes: Expected integer, got: \"a\"; allowed: a whole number "
            "in [1, 1000000]");
  EXPECT_THAT(ParseFailure("data { lanes: 1.5 }"), HasSubstr("data.lanes: "));
  EXPECT_THAT(ParseFailure("data { lanes: 99999999999 }"),
              HasSubstr("(99999999999); allowed: a whole number in [1, 1000000]"));
  EXPECT_THAT(ParseFailure("data { path: corpus.h5 }"),
              HasSubstr("allowed: a text in quotes that is not empty"));
  EXPECT_EQ(ParseFailure("model { tie_embedding: yes }"),
            "run.textproto:1:24: model.tie_embedding is yes; allowed: true or false");
  EXPECT_THAT(ParseFailure("training { seed: -1 }"),
              HasSubstr("allowed: a whole number, 0 or more"));
  EXPECT_THAT(ParseFailure("optimizer { adam: 3 }"), HasSubstr("optimizer.adam: Expected \"{\""));
}

TEST(RunConfigTest, TextThatIsNotWellFormed) {
  for (const char* text : {"data {", "data { } }", "data { lanes }", "data { lanes: }", "5",
                           "data { path: \"a\n }", "data { [a.b]: 3 }", "{", "data", "\x01\x02"}) {
    EXPECT_THAT(ParseFailure(text), StartsWith("run.textproto:")) << text;
  }
  EXPECT_THAT(ParseFailure("data {"), HasSubstr("the end of the text"));
}

TEST(RunConfigTest, ProtobufPrintsNothingItself) {
  ::testing::internal::CaptureStderr();
  for (const char* text : {"data { lanes: 3 lanes: 4 }", "x { }", "data {", "model { cell: X }",
                           "data { path: \"\\377\" }", "data { path: \"a\n\" }"}) {
    ParseFailure(text);
    ParseFailure("", {std::string("data.path=") + text});
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(RunConfigTest, ErrorsOfSeveralFieldsSayThatASetMayBeTheCause) {
  EXPECT_THAT(ParseFailure("", {"model.tie_embedding=true"}),
              StartsWith("run.textproto with --set: model.tie_embedding is true; "));
}

TEST(RunConfigTest, OverridesMayMendTheFile) {
  EXPECT_EQ(ParseFailure("data { lanes: 0 }", {"data.lanes=1"}), "");
}

}  // namespace
}  // namespace lockstep::proto
