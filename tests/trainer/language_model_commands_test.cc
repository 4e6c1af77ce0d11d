// What only language models do: score lines, write samples while they train, and begin with a
// finished model of another vocabulary.
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/checkpoints/checkpoint.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"
#include "tests/trainer/task_cases.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kWrongInput = 2;

class LanguageModelCommandsTest : public testing::Test {
 protected:
  // Trained once for all tests here.
  static void SetUpTestSuite() {
    run_ = new SmallRun();
    run_->TrainToTheEnd("runs/a");
  }
  static void TearDownTestSuite() {
    delete run_;
    run_ = nullptr;
  }

  static Outcome Score(const std::string& input, const std::vector<std::string>& flags = {},
                       const std::string& name = "runs/a") {
    run_->Write("input.txt", input);
    Launch launch = run_->Command({"score", run_->BestPath(name)});
    launch.arguments.insert(launch.arguments.end(), flags.begin(), flags.end());
    launch.wrapper = {"sh", "-c", "exec \"$@\" < input.txt", "sh"};
    return RunProgram(launch);
  }

  static SmallRun* run_;
};

SmallRun* LanguageModelCommandsTest::run_ = nullptr;

// What `score` writes of a line.
struct LineScore {
  int64_t tokens = 0;
  double log_probability = 0.0, perplexity = 0.0;
};

std::vector<LineScore> ScoresOf(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  std::istringstream fields(outcome.out);
  std::vector<LineScore> scores;
  for (LineScore one; fields >> one.tokens >> one.log_probability >> one.perplexity;) {
    scores.push_back(one);
  }
  return scores;
}

TEST_F(LanguageModelCommandsTest, ScoreGivesAPersonFieldsAndAProgramJson) {
  const std::string text = "the of and to it was the one";
  const Outcome scored = Score(text + "\n");
  const std::vector<LineScore> scores = ScoresOf(scored);
  ASSERT_EQ(scores.size(), 1u) << scored.out;
  const auto [tokens, log_probability, perplexity] = scores[0];
  EXPECT_EQ(tokens, std::ssize(text) + 1) << "and the line end";
  EXPECT_NEAR(perplexity, std::exp(-log_probability / static_cast<double>(tokens)), 1e-3);
  EXPECT_THAT(scored.err, HasSubstr(fmt::format("1 lines, {} tokens (char)", tokens)));

  const Outcome json = Score(text, {"--json"});  // without a line end behind it
  const auto object = nlohmann::json::parse(json.out);
  EXPECT_EQ(object.at("tokens"), tokens);
  EXPECT_NEAR(object.at("log_probability").get<double>(), log_probability, 1e-5);
  EXPECT_NEAR(object.at("perplexity").get<double>(), perplexity, 1e-3);
}

// Of a model without line ends: whatever stands before, the next characters' probabilities sum to
// 1, and what it has learnt is the likeliest.
TEST_F(LanguageModelCommandsTest, ScoresAreProbabilities) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "hello";
  ASSERT_EQ(run_->Import(text, "hello.h5").status, 0);
  run_->TrainToTheEnd("runs/hello", 0,
                      {"data.path=hello.h5", "model.layers=1", "model.dropout=0",
                       "training.steps=60", "optimizer.learning_rate=0.02"});
  const auto probabilities = [&](const std::string& prefix) {
    std::string input = prefix + "\n";
    for (const char c : {'h', 'e', 'l', 'o'}) input += prefix + c + "\n";
    const std::vector<LineScore> scores = ScoresOf(Score(input, {}, "runs/hello"));
    EXPECT_EQ(scores.size(), 5u);
    EXPECT_EQ(scores.back().tokens, std::ssize(prefix) + 1);
    std::vector<double> found;
    for (size_t i = 1; i < scores.size(); ++i) {
      found.push_back(std::exp(scores[i].log_probability - scores[0].log_probability));
    }
    return found;
  };
  for (const std::string prefix : {"", "hel", "lohellohel", "eee"}) {
    const std::vector<double> found = probabilities(prefix);
    EXPECT_NEAR(found[0] + found[1] + found[2] + found[3], 1.0, 1e-4) << prefix;
  }
  EXPECT_GT(probabilities("lohello")[0], 0.5);
  EXPECT_GT(probabilities("lohelloh")[1], 0.5);
}

TEST_F(LanguageModelCommandsTest, ScoreTakesLineByLineAndSumsUp) {
  const Outcome three = Score("the one\r\n\nwas it\n");
  ASSERT_EQ(three.status, 0) << three.err;
  std::vector<double> sums;
  std::vector<int64_t> counts;
  for (const LineScore& one : ScoresOf(three)) {
    counts.push_back(one.tokens);
    sums.push_back(one.log_probability);
  }
  EXPECT_THAT(counts, testing::ElementsAre(8, 1, 7)) << three.out;
  const std::string head = "3 lines, 16 tokens (char), log-probability ";
  ASSERT_TRUE(three.err.starts_with(head)) << three.err;
  EXPECT_NEAR(std::stod(three.err.substr(head.size())), sums[0] + sums[1] + sums[2], 1e-5);
  // A line does not depend on those before it.
  EXPECT_EQ(ScoresOf(Score("was it\n")).at(0).log_probability, sums[2]);
  ExpectOneError(Score("the\nthe Zebra\n"), kWrongInput, {"line 2", "Z"});
}

// A model that learns on from what it reads makes more of the same text as it goes.
TEST_F(LanguageModelCommandsTest, DynamicScoresLearnFromTheLinesBefore) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += "to the to the one\n";
  const auto scores = [&](const std::vector<std::string>& flags) {
    std::vector<double> logs;
    for (const LineScore& one : ScoresOf(Score(text, flags))) logs.push_back(one.log_probability);
    EXPECT_EQ(logs.size(), 12u);
    return logs;
  };
  const std::vector<double> plain = scores({}), dynamic = scores({"--dynamic", "0.02"});
  EXPECT_NEAR(dynamic.front(), plain.front(), 1e-5) << "nothing was learnt from yet";
  EXPECT_GT(dynamic[1], plain[1]);
  EXPECT_GT(dynamic.back(), 0.6 * plain.back()) << "log-probabilities are below 0";
}

TEST_F(LanguageModelCommandsTest, DynamicEvaluationIsBetterOnAnotherKindOfText) {
  // The same letters, other words.
  std::string text = EnglishLikeText(1800, 5);
  for (char& c : text) c = c == 'e' ? 't' : c == 't' ? 'e' : c;
  ASSERT_EQ(run_->Import(text, "swapped.h5", {"--vocabulary-from", "corpus.h5"}).status, 0);
  const auto evaluate = [&](const std::vector<std::string>& flags, int ranks = 0) {
    Launch launch = run_->Command(
        {"evaluate", run_->BestPath("runs/a"), "--data", "swapped.h5", "--split", "train"}, ranks);
    launch.arguments.insert(launch.arguments.end(), flags.begin(), flags.end());
    return RunProgram(launch);
  };
  const auto loss = [&](std::vector<std::string> flags) {
    flags.push_back("--json");
    const Outcome outcome = evaluate(flags);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out).at("loss").get<double>();
  };
  const double plain = loss({});
  EXPECT_NEAR(loss({"--dynamic", "1e-12"}), plain, 0.02 * plain) << "one lane instead of ten";
  EXPECT_LT(loss({"--dynamic", "0.01"}), 0.9 * plain);
  const Outcome sentence =
      evaluate({"--dynamic", "0.01", "--dynamic-segment", "9", "--dynamic-decay", "0.5"});
  EXPECT_THAT(sentence.err, HasSubstr("learning on, rate 0.01, decay 0.5, 9 tokens at a time"));
  ExpectOneError(evaluate({"--dynamic", "0.01"}, 2), kWrongInput, {"2 ranks", "1 rank"});
  EXPECT_EQ(evaluate({"--dynamic", "0"}).status, kWrongInput);
  EXPECT_EQ(evaluate({"--dynamic-decay", "0.1"}).status, kWrongInput);
}

TEST_F(LanguageModelCommandsTest, SamplesAreWrittenAtEveryEvaluationAndChangeNothing) {
  for (const int ranks : {1, 2}) {
    const std::string name = fmt::format("runs/samples{}", ranks);
    const Outcome outcome = RunProgram(
        run_->Train(name, ranks, {"evaluation.sample_tokens=30", "optimizer.averaging.ema={}"}));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    for (const int step : {20, 40, 60}) {
      const std::string head = fmt::format("step {}: a sample:\n----\n", step);
      const size_t at = outcome.err.find(head);
      ASSERT_NE(at, std::string::npos) << outcome.err;
      EXPECT_EQ(outcome.err.find("\n----", at + head.size()) - at - head.size(), 30u);
    }
    const std::string plain = name + "plain";
    run_->TrainToTheEnd(plain, ranks, {"optimizer.averaging.ema={}"});
    ExpectSameMetrics(run_->Metrics(name), run_->Metrics(plain), 60);
  }
}

// Before it begins and after, in the same run. At such a learning rate some evaluation is worse
// than one before, whatever the roundings.
TEST_F(LanguageModelCommandsTest, TriggeredAveragingGoesOnBitForBitAndIsEvaluated) {
  const Settings settings = {"optimizer.averaging.nt_asgd.patience=0",
                             "optimizer.learning_rate=1",
                             "optimizer.schedule.constant={}",
                             "evaluation.every_steps=4",
                             "evaluation.most_tokens=0",
                             "checkpoint.every_steps=0"};
  const Outcome outcome = RunProgram(run_->Train("runs/asgd", 2, settings));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("averaging of the weights begins"));
  const std::string last = run_->CheckpointPath("runs/asgd", 60);
  const auto counters = io::CheckpointReader(last).header().counters;
  EXPECT_EQ(counters.at("averaging_begun"), 1);
  EXPECT_GT(counters.at("averaging_count"), 10);
  EXPECT_LE(counters.at("averaging_count"), 52) << "the first evaluation begins nothing";
  for (int64_t steps = 4; steps <= 60; steps += 8) {
    run_->TrainToTheEnd("runs/stopped", 2,
                        settings + Settings{fmt::format("training.steps={}", steps)});
  }
  ExpectSameMetrics(run_->Metrics("runs/asgd"), run_->Metrics("runs/stopped"), 60);
  ExpectSameCheckpoints(last, run_->CheckpointPath("runs/stopped", 60));

  const auto evaluate = [&](const std::string& checkpoint) {
    const Outcome json =
        RunProgram(run_->Command({"evaluate", checkpoint, "--json", "--split", "validation"}, 2));
    return nlohmann::json::parse(json.out).at("loss").get<double>();
  };
  const double averaged = evaluate(last);
  EXPECT_EQ(averaged, run_->Metrics("runs/asgd").back().at("validation_loss"));
  // What is averaged trains as if it was not.
  run_->TrainToTheEnd("runs/plain", 2, settings + Settings{"optimizer.averaging.none={}"});
  const auto averaging = run_->Metrics("runs/asgd"), plain = run_->Metrics("runs/plain");
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(averaging[i].at("loss"), plain[i].at("loss")) << i;
  EXPECT_NE(averaged, plain.back().at("validation_loss"));
}

TEST_F(LanguageModelCommandsTest, StartsFromAFinishedModel) {
  // One step that changes next to nothing.
  const Settings settings = {"training.steps=1", "optimizer.learning_rate=1e-9"};
  const std::string best = run_->BestPath("runs/a");
  const auto start = [&](const std::string& name, int ranks, const Settings& more) {
    Launch launch = run_->Train(name, ranks, settings + more);
    launch.arguments.insert(launch.arguments.end(), {"--start-from", best});
    return RunProgram(launch);
  };
  const double finished = io::CheckpointReader(best).header().measures.at("best_validation_loss");
  for (const int ranks : {1, 2}) {
    const std::string name = fmt::format("runs/started{}", ranks);
    const Outcome outcome = start(name, ranks, {});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("starting from the weights of " + best));
    EXPECT_THAT(outcome.err, HasSubstr("tokens are known"));
    const auto metrics = run_->Metrics(name);
    EXPECT_EQ(metrics.front().at("step"), 1);
    EXPECT_NEAR(metrics.front().at("validation_loss").get<double>(), finished, 1e-5);
  }
  // A run that goes on has its own weights.
  const Outcome again = start("runs/started1", 1, {"training.steps=2"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("going on from"));
  EXPECT_THAT(again.err, Not(HasSubstr("starting from")));

  // Another text, of other characters.
  std::string text = EnglishLikeText(1800, 5);
  for (char& c : text) c = c == 'e' ? 'E' : c;
  ASSERT_EQ(run_->Import(text, "other.h5").status, 0);
  const Outcome other = start("runs/other", 0, {"data.path=other.h5"});
  ASSERT_EQ(other.status, 0) << other.err;
  const io::CheckpointReader old(best), now(run_->CheckpointPath("runs/other", 1));
  const io::Vocabulary& there = *old.header().vocabulary;
  const io::Vocabulary& here = *now.header().vocabulary;
  EXPECT_THAT(other.err, HasSubstr(fmt::format("{} of the {} tokens are known", here.size() - 1,
                                               here.size())));
  const auto row_of = [](const io::CheckpointReader& file, const io::Vocabulary& vocabulary,
                         const char* token) {
    std::vector<float> all(12 * vocabulary.size());
    file.Read("parameters/embedding.weight", all);
    return all[12 * *vocabulary.Find(token) + 5];
  };
  for (const char* token : {"a", "t", " ", "\n"}) {
    EXPECT_NEAR(row_of(now, here, token), row_of(old, there, token), 1e-6) << token;
  }

  // With an adaptive softmax the model's own shapes are others.
  const Settings clusters = {"task.language_model.softmax_cutoffs=5,9"};
  run_->TrainToTheEnd("runs/adaptive", 2, clusters);
  Launch further = run_->Train("runs/further", 2, settings + clusters);
  further.arguments.insert(further.arguments.end(),
                           {"--start-from", run_->BestPath("runs/adaptive")});
  const Outcome started = RunProgram(further);
  EXPECT_EQ(started.status, 0) << started.err;
  const double left = io::CheckpointReader(run_->BestPath("runs/adaptive"))
                          .header()
                          .measures.at("best_validation_loss");
  EXPECT_NEAR(run_->Metrics("runs/further").back().at("validation_loss").get<double>(), left, 1e-5);
  ExpectOneError(
      start("runs/clusters", 0, {"data.path=other.h5", "task.language_model.softmax_cutoffs=5"}),
      kWrongInput, {best, "softmax_cutoffs", "other.h5", "--vocabulary-from"});
  ExpectOneError(start("runs/wider", 2, {"model.hidden_size=25"}), kWrongInput,
                 {best, "rnn.weight_ih_l0", "[96, 12]", "[100, 12]"});
  Launch both = run_->Train("runs/both", 0, settings);
  both.arguments.insert(both.arguments.end(), {"--start-from", best, "--resume", best});
  ExpectOneError(RunProgram(both), kWrongInput, {"--start-from", "--resume"});
}

}  // namespace
}  // namespace lockstep::trainer
