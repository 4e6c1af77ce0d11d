// What becomes of a translator and a captioner: lockstep evaluate and lockstep predict.
#include <algorithm>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"
#include "tests/trainer/task_cases.h"

namespace lockstep::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Sources of one to six colours, a third of them with a word that occurs once; targets are the
/// same in capitals, but for that word.
struct Pairs {
  Pairs(int count, uint64_t seed) {
    constexpr const char* kColours[] = {"red", "blue", "green", "white", "black", "pink"};
    std::mt19937_64 random(seed);
    for (int i = 0; i < count; ++i) {
      const uint64_t words = 1 + random() % 6, rare = random() % 18;
      std::string source, target;
      for (uint64_t word = 0; word < words; ++word) {
        const std::string colour = kColours[random() % std::size(kColours)];
        const std::string name = fmt::format("name{}{}", static_cast<char>('a' + seed), i);
        source += (word > 0 ? " " : "") + (word == rare ? name : colour);
        std::string capitals = colour;
        for (char& c : capitals) c = static_cast<char>(c - 'a' + 'A');
        target += (word > 0 ? " " : "") + (word == rare ? name : capitals);
      }
      sources += source + "\n";
      targets += target + "\n";
    }
  }
  std::string sources, targets;
};

class TranslateCommandTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new io::TemporaryFolder;
    test_ = new Pairs(150, 2);
    const Pairs train(2500, 1);
    folder_->Write("a.in", train.sources), folder_->Write("a.out", train.targets);
    folder_->Write("b.in", test_->sources), folder_->Write("b.out", test_->targets);
    Run({"import", "pairs", "--train", "a.in,a.out", "--test", "b.in,b.out", "--tokens",
         "whitespace", "--min-count", "2", "-o", "pairs.h5"});
    folder_->Write("run.textproto",
                   "data { path: \"pairs.h5\" lanes: 32 }\n"
                   "task { translate { conditioning: BAHDANAU search { most_tokens: 3 } } }\n"
                   "model { embedding_size: 16 cell: GRU layers: 1 hidden_size: 32 dropout: 0 "
                   "bidirectional: true }\n"
                   "optimizer { learning_rate: 0.01 }\n"
                   "training { folder: \"run\" epochs: 8 threads: 1 }\n"
                   "evaluation { every_steps: 0 split: \"test\" }\n");
    Run({"train", "run.textproto"});
  }
  static void TearDownTestSuite() {
    delete folder_;
    delete test_;
  }

  static Outcome Run(std::vector<std::string> arguments, int status = 0) {
    Launch launch;
    launch.arguments = std::move(arguments);
    launch.folder = folder_->path();
    const Outcome outcome = RunProgram(launch);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    return outcome;
  }

  static Outcome Answer(const std::string& input, const std::vector<std::string>& flags = {},
                        int ranks = 0) {
    folder_->Write("input.txt", input);
    Launch launch;
    launch.arguments = {"predict", "run/checkpoints/best.h5"};
    launch.arguments.insert(launch.arguments.end(), flags.begin(), flags.end());
    launch.folder = folder_->path();
    launch.ranks = ranks;
    launch.wrapper = {"sh", "-c", "exec \"$@\" < input.txt", "sh"};
    return RunProgram(launch);
  }
  static std::vector<std::string> Predict(const std::string& input,
                                          const std::vector<std::string>& flags = {},
                                          int ranks = 0) {
    const Outcome outcome = Answer(input, flags, ranks);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return LinesOf(outcome.out);
  }

  static double ShareRight(const std::vector<std::string>& answers) {
    const std::vector<std::string> truth = LinesOf(test_->targets);
    EXPECT_EQ(answers.size(), truth.size());
    double right = 0.0;
    for (size_t i = 0; i < std::min(truth.size(), answers.size()); ++i) {
      right += answers[i] == truth[i] ? 1.0 : 0.0;
    }
    return right / static_cast<double>(truth.size());
  }

  static inline io::TemporaryFolder* folder_ = nullptr;
  static inline Pairs* test_ = nullptr;
};

// A word that is not in the vocabulary is right nowhere: its target says another one.
TEST_F(TranslateCommandTest, EvaluateCountsWhatPredictAnswers) {
  const auto figures = nlohmann::json::parse(
      Run({"evaluate", "run/checkpoints/best.h5", "--split", "test", "--json"}).out);
  const double share = ShareRight(Predict(test_->sources));
  EXPECT_DOUBLE_EQ(figures.at("exact_match"), share);
  EXPECT_LT(share, 0.9);
  EXPECT_GT(share, 0.5);
  EXPECT_EQ(figures.at("pairs"), 150);
  EXPECT_GT(figures.at("bleu"), 50.0);
  EXPECT_LT(figures.at("bleu"), 95.0);
  const std::string sentence = Run({"evaluate", "run/checkpoints/best.h5", "--split", "test"}).err;
  EXPECT_THAT(sentence, HasSubstr(figures.at("bleu_signature").get<std::string>()));
  EXPECT_THAT(sentence, HasSubstr(figures.at("chrf_signature").get<std::string>()));
  EXPECT_THAT(sentence, HasSubstr(fmt::format("BLEU {:.2f}", figures.at("bleu").get<double>())));
}

TEST_F(TranslateCommandTest, LearningOnIsForLanguageModels) {
  EXPECT_THAT(Run({"evaluate", "run/checkpoints/best.h5", "--dynamic", "0.1"}, 2).err,
              HasSubstr("best.h5: only a language model can go on learning"));
  EXPECT_THAT(Run({"score", "run/checkpoints/best.h5", "--dynamic", "0.1"}, 2).err,
              HasSubstr("best.h5: is not of a language model"));
}

TEST_F(TranslateCommandTest, UnknownWordsAreCopiedOnRequest) {
  EXPECT_GT(ShareRight(Predict(test_->sources, {"--copy-unknown"})), 0.95);
  EXPECT_THAT(Predict("red Zanzibar blue\n"), ElementsAre("RED <unk> BLUE"));
  EXPECT_THAT(Predict("red Zanzibar blue\n", {"--copy-unknown"}), ElementsAre("RED Zanzibar BLUE"));
}

TEST_F(TranslateCommandTest, AnswersAreTheSameOnAnyNumberOfRanks) {
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{},
                                             {"--beam", "4", "--nbest", "3"},
                                             {"--json", "--copy-unknown"},
                                             {"--temperature", "1.5", "--seed", "7"}}) {
    const auto one = Predict(test_->sources, flags);
    EXPECT_EQ(one, Predict(test_->sources, flags, 3)) << fmt::format("{}", flags.size());
    EXPECT_GE(one.size(), 150u);
  }
}

TEST_F(TranslateCommandTest, TheBestComeFirst) {
  const auto lines = Predict("red blue\n\ngreen\n", {"--beam", "4", "--nbest", "2"});
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0], testing::StartsWith("1\tRED BLUE\t"));
  EXPECT_THAT(lines[1], testing::StartsWith("1\t"));
  EXPECT_EQ(lines[2], "");
  EXPECT_THAT(lines[3], testing::StartsWith("3\tGREEN\t"));
  const auto score = [&](int i) { return std::stod(lines[i].substr(lines[i].rfind('\t') + 1)); };
  EXPECT_GT(score(0), score(1));
  EXPECT_GT(score(3), score(4));

  const auto json = nlohmann::json::parse(Predict("red blue\n", {"--json", "--nbest", "3"}).at(0));
  EXPECT_EQ(json.at("text"), "RED BLUE");
  EXPECT_EQ(json.at("tokens"), (std::vector<std::string>{"RED", "BLUE"}));
  EXPECT_EQ(json.at("attended"), (std::vector<int>{0, 1}));
  ASSERT_EQ(json.at("texts").size(), 3u);
  EXPECT_EQ(json.at("texts")[0].at("score"), json.at("score"));
  EXPECT_LT(json.at("texts")[1].at("score"), json.at("score"));
  EXPECT_LT(json.at("log_probability"), 0.0);
}

TEST_F(TranslateCommandTest, ASeedNamesWhatIsDrawn) {
  const auto drawn = [](const std::string& seed) {
    return Predict(test_->sources, {"--temperature", "4", "--seed", seed});
  };
  EXPECT_EQ(drawn("1"), drawn("1"));
  EXPECT_NE(drawn("1"), drawn("2"));
  EXPECT_LT(ShareRight(drawn("1")), 0.2);
}

TEST_F(TranslateCommandTest, WhatIsWrongIsSaid) {
  ExpectOneError(Answer("red\n", {"--beam", "2", "--nbest", "3"}), 2, {"--nbest 3 with --beam 2"});
  ExpectOneError(Answer("red\n", {"--beam", "2", "--temperature", "1"}), 2,
                 {"--temperature draws texts and --beam searches"});
  ExpectOneError(Answer("red\nblue \xFF\n"), 2, {"standard input, line 2", "not UTF-8"});
}

TEST(CaptionCommandTest, ALineOfCellsGivesAText) {
  const auto& cases = AllTaskCases();
  const auto one = std::ranges::find(cases, "caption", &TaskCase::name);
  ASSERT_NE(one, cases.end());
  const SmallRun run(*one);
  run.TrainToTheEnd("runs/a", 0,
                    {"training.steps=400", "optimizer.learning_rate=0.01", "model.dropout=0"});
  const auto answer = [&](const std::string& input, const std::vector<std::string>& flags) {
    run.Write("input.txt", input);
    std::vector<std::string> arguments = {"predict", run.BestPath("runs/a").string()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    Launch launch = run.Command(arguments);
    launch.wrapper = {"sh", "-c", "exec \"$@\" < input.txt", "sh"};
    return RunProgram(launch);
  };
  const Outcome outcome = answer("20,250,to\n\n75\t750\tthe\n", {});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "small and light to\n\nlarge but heavy the\n");
  ExpectOneError(answer("20,250,to\n20,to\n", {}), 2, {"line 2", "size, weight, kind"});
  ExpectOneError(answer("20,250,to\n", {"--copy-unknown"}), 2, {"--copy-unknown", "attention"});
}

// What is drawn of the model's own outputs depends on the place in the training alone.
TEST(ScheduledSamplingTest, IsTheSameAfterAStopAndRisesOverSteps) {
  const auto& cases = AllTaskCases();
  const auto one = std::ranges::find(cases, "translate", &TaskCase::name);
  ASSERT_NE(one, cases.end());
  const SmallRun run(*one);
  const Settings settings = {"optimizer.schedule.constant={}", "evaluation.every_steps=12",
                             "task.translate.scheduled_sampling=0.5",
                             "task.translate.scheduled_sampling_steps=10"};
  run.TrainToTheEnd("runs/a", 2, settings + Settings{"training.steps=24"});
  run.TrainToTheEnd("runs/b", 2, settings + Settings{"training.steps=12"});
  run.TrainToTheEnd("runs/b", 2, settings + Settings{"training.steps=24"});
  run.TrainToTheEnd(
      "runs/none", 2,
      settings + Settings{"training.steps=24", "task.translate.scheduled_sampling=0"});
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), 24);
  const auto with = run.Metrics("runs/a"), without = run.Metrics("runs/none");
  EXPECT_EQ(with[0].at("loss"), without[0].at("loss"));  // begins at no share
  EXPECT_NE(with[12].at("loss"), without[12].at("loss"));
}

}  // namespace
}  // namespace lockstep::trainer
