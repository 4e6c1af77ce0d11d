// What models of separate texts must be able to learn, on data whose answer is known: the whole
// program from text files to `lockstep evaluate`.
#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/io/temporary_folder.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

// The same everywhere, unlike the distributions of the library.
class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  int Between(int least, int most) { return least + Below(most - least + 1); }

 private:
  std::mt19937_64 random_;
};

/// Examples of `count` calls of `example`, as a file holds them.
std::string Examples(int count, uint64_t seed, const std::function<std::string(Draw&)>& example) {
  Draw draw(seed);
  std::string text;
  for (int i = 0; i < count; ++i) text += example(draw);
  return text;
}

struct Lesson {
  std::vector<std::string> import;  ///< "labels", "--tokens", "char"
  std::string train, test;          ///< what the files hold
  std::string suffix = ".txt";
  std::string configuration;
  Settings settings;
};

/// Imports, trains and evaluates the last weights on the test split.
nlohmann::json Learn(const Lesson& lesson) {
  io::TemporaryFolder folder;
  folder.Write("train" + lesson.suffix, lesson.train);
  folder.Write("test" + lesson.suffix, lesson.test);
  folder.Write("run.textproto",
               lesson.configuration +
                   "optimizer { adam { } schedule { cosine { } } }\n"
                   "training { folder: \"run\" seed: 1 threads: 1 }\n"
                   "evaluation { every_steps: 0 split: \"test\" most_tokens: 2000 }\n"
                   "checkpoint { every_steps: 0 every_minutes: 0 keep: 1 }\n");
  const auto command = [&](std::vector<std::string> arguments) {
    Launch launch;
    launch.arguments = std::move(arguments);
    launch.folder = folder.path();
    const Outcome outcome = RunProgram(launch);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  };
  std::vector<std::string> import = {"import"};
  import.insert(import.end(), lesson.import.begin(), lesson.import.end());
  import.insert(import.end(), {"--train", "train" + lesson.suffix, "--test", "test" + lesson.suffix,
                               "-o", "corpus.h5"});
  command(import);
  std::vector<std::string> train = {"train", "run.textproto"};
  for (const std::string& setting : lesson.settings) train.insert(train.end(), {"--set", setting});
  command(train);
  return nlohmann::json::parse(
      command({"evaluate", "run/checkpoints/best.h5", "--split", "test", "--json"}));
}

// Bits with an odd or an even number of ones: the last state must hold the answer through all of
// them. Short ones among those to train on show the way.
std::string Parity(Draw& draw, int bits) {
  std::string text;
  for (int i = 0; i < bits; ++i) text += draw.Below(2) ? '1' : '0';
  return (std::ranges::count(text, '1') % 2 ? "odd\t" : "even\t") + text + "\n";
}

double LearnParity(const std::string& cell, int seed) {
  Lesson lesson;
  lesson.import = {"labels", "--tokens", "char"};
  lesson.train = Examples(12000, 1, [](Draw& draw) { return Parity(draw, draw.Between(1, 50)); });
  lesson.test = Examples(500, 2, [](Draw& draw) { return Parity(draw, 50); });
  lesson.configuration =
      "data { lanes: 32 } task { classify { } }\n"
      "model { embedding_size: 4 layers: 1 hidden_size: 32 dropout: 0 }\n";
  lesson.settings = {"model.cell=" + cell, "training.epochs=16", "optimizer.learning_rate=0.01",
                     fmt::format("training.seed={}", seed)};
  return Learn(lesson).at("accuracy").get<double>();
}

// From wherever it begins the LSTM learns it. Without gates about every other beginning does, too,
// and which ones depends on roundings.
TEST(TextLearningTest, ParityOverFiftyBitsTakesGates) {
  for (const int seed : {1, 2}) EXPECT_GT(LearnParity("LSTM", seed), 0.99) << "seed " << seed;
  double least = 1.0;
  for (int seed = 1; seed <= 8 && least >= 0.75; ++seed) {
    least = std::min(least, LearnParity("RNN_TANH", seed));
  }
  EXPECT_LT(least, 0.75);
}

// The label is the first of 100 tokens; the others say nothing. Short texts among those to train on
// show the way, as above.
nlohmann::json LearnRecall(const std::string& cell) {
  const auto example = [](Draw& draw, int length) {
    std::string text;
    for (int i = 0; i < length; ++i) text += static_cast<char>('a' + draw.Below(8));
    return fmt::format("{}\t{}\n", text.front(), text);
  };
  Lesson lesson;
  lesson.import = {"labels", "--tokens", "char"};
  lesson.train = Examples(4000, 1, [&](Draw& draw) { return example(draw, draw.Between(1, 100)); });
  lesson.test = Examples(500, 2, [&](Draw& draw) { return example(draw, 100); });
  lesson.configuration =
      "data { lanes: 32 } task { classify { } }\n"
      "model { embedding_size: 0 layers: 1 hidden_size: 32 dropout: 0 }\n";
  lesson.settings = {"model.cell=" + cell, "training.epochs=12", "optimizer.learning_rate=0.01"};
  if (cell == "LSTM") lesson.settings.push_back("model.initialization.forget_gate_bias=4");
  return Learn(lesson);
}

TEST(TextLearningTest, RecallOverAHundredStepsTakesGates) {
  EXPECT_GT(LearnRecall("LSTM").at("accuracy").get<double>(), 0.99);
  EXPECT_LT(LearnRecall("RNN_TANH").at("accuracy").get<double>(), 0.6);
}

// Each bracket's tag is how deep it lies below the top, counted from the end for closing ones: an
// opening bracket is told by what came, a closing one by what comes.
std::string Brackets(Draw& draw) {
  const int length = draw.Between(6, 24);
  std::string brackets;
  for (int i = 0; i < length; ++i) brackets += draw.Below(2) ? '(' : ')';
  std::vector<int> depth(length);
  for (int i = 0, open = 0; i < length; ++i) {
    open = brackets[i] == '(' ? std::min(open + 1, 4) : std::max(open - 1, 0);
    if (brackets[i] == '(') depth[i] = open;
  }
  for (int i = length - 1, closed = 0; i >= 0; --i) {
    closed = brackets[i] == ')' ? std::min(closed + 1, 4) : std::max(closed - 1, 0);
    if (brackets[i] == ')') depth[i] = closed;
  }
  std::string lines;
  for (int i = 0; i < length; ++i) lines += fmt::format("{} d{}\n", brackets[i], depth[i]);
  return lines + "\n";
}

nlohmann::json LearnBrackets(bool bidirectional) {
  Lesson lesson;
  lesson.import = {"tags"};
  lesson.train = Examples(2000, 1, Brackets);
  lesson.test = Examples(300, 2, Brackets);
  lesson.configuration = fmt::format(
      "data {{ lanes: 32 }} task {{ tag {{ crf: false }} }}\n"
      "model {{ embedding_size: 4 cell: LSTM layers: 1 hidden_size: 32 dropout: 0 "
      "bidirectional: {} }}\n",
      bidirectional);
  lesson.settings = {"training.epochs=12", "optimizer.learning_rate=0.02"};
  return Learn(lesson);
}

TEST(TextLearningTest, DepthOfClosingBracketsTakesBothDirections) {
  EXPECT_GT(LearnBrackets(true).at("token_accuracy").get<double>(), 0.99);
  EXPECT_LT(LearnBrackets(false).at("token_accuracy").get<double>(), 0.9);
}

// Tags go round a, b, c, whatever the tokens say, and begin anywhere; tokens tell their tag only
// now and then. What stands between is known from the order alone.
std::string Rounds(Draw& draw) {
  const int length = draw.Between(8, 16), begin = draw.Below(3);
  std::string lines;
  for (int i = 0; i < length; ++i) {
    const int tag = (begin + i) % 3;
    // Wrong hints now and then: only the order tells which they are.
    const int hint = draw.Below(4) > 0 ? 3 : draw.Below(5) > 0 ? tag : draw.Below(3);
    lines += fmt::format("{} {}\n", "xyz."[hint], "abc"[tag]);
  }
  return lines + "\n";
}

nlohmann::json LearnRounds(bool crf) {
  Lesson lesson;
  lesson.import = {"tags"};
  lesson.train = Examples(600, 1, Rounds);
  lesson.test = Examples(500, 2, Rounds);
  // A layer that sees little, so that the order of tags is the CRF's to know.
  lesson.configuration = fmt::format(
      "data {{ lanes: 16 }} task {{ tag {{ crf: {} }} }}\n"
      "model {{ embedding_size: 4 cell: RNN_TANH layers: 1 hidden_size: 2 dropout: 0 }}\n",
      crf);
  lesson.settings = {"training.epochs=20", "optimizer.learning_rate=0.02"};
  return Learn(lesson);
}

TEST(TextLearningTest, ACrfBeatsASoftmaxWhereTagsConstrainEachOther) {
  const double crf = LearnRounds(true).at("exact_match").get<double>();
  const double softmax = LearnRounds(false).at("exact_match").get<double>();
  EXPECT_GT(crf, 0.75);
  EXPECT_LT(softmax, crf - 0.2);
}

const char* const kTranslate =
    "data { lanes: 64 } task { translate { conditioning: LUONG } }\n"
    "model { embedding_size: 32 cell: LSTM layers: 1 hidden_size: 64 dropout: 0 "
    "bidirectional: true }\n";

TEST(TextLearningTest, AttentionReversesStrings) {
  const auto example = [](Draw& draw) {
    std::string text;
    for (int i = draw.Between(1, 12); i > 0; --i) text += static_cast<char>('a' + draw.Below(10));
    return fmt::format("{}\t{}\n", text, std::string(text.rbegin(), text.rend()));
  };
  Lesson lesson;
  lesson.import = {"pairs", "--tokens", "char"};
  lesson.train = Examples(6000, 1, example);
  lesson.test = Examples(500, 2, example);
  lesson.configuration = kTranslate;
  lesson.settings = {"training.epochs=8", "optimizer.learning_rate=0.005"};
  EXPECT_GE(Learn(lesson).at("exact_match").get<double>(), 0.99);
}

TEST(TextLearningTest, AttentionAddsNumbersOfThreeDigits) {
  const auto example = [](Draw& draw) {
    const int a = draw.Below(1000), b = draw.Below(1000);
    return fmt::format("{}+{}\t{}\n", a, b, a + b);
  };
  Lesson lesson;
  lesson.import = {"pairs", "--tokens", "char"};
  lesson.train = Examples(40000, 1, example);
  lesson.test = Examples(500, 2, example);
  lesson.configuration = kTranslate;
  lesson.settings = {"training.epochs=10", "optimizer.learning_rate=0.005",
                     "model.hidden_size=128"};
  EXPECT_GE(Learn(lesson).at("exact_match").get<double>(), 0.99);
}

TEST(TextLearningTest, ACaptionStatesItsVector) {
  const char* const colours[] = {"red", "green", "blue"};
  const auto example = [&](Draw& draw) {
    const int x = draw.Between(-9, 9), y = draw.Between(-9, 9), colour = draw.Below(3);
    return fmt::format("{},{},{},\"a {} thing {} and {}\"\n", x, y, colours[colour],
                       colours[colour], x < 0 ? "left" : "right", y < 0 ? "below" : "above");
  };
  Lesson lesson;
  lesson.import = {"captions", "--text", "text", "--features", "x,y,colour", "--tokens", "word"};
  lesson.suffix = ".csv";
  lesson.train = "x,y,colour,text\n" + Examples(1000, 1, example);
  lesson.test = "x,y,colour,text\n" + Examples(200, 2, example);
  lesson.configuration =
      "data { lanes: 32 } task { caption { } }\n"
      "model { embedding_size: 16 cell: GRU layers: 1 hidden_size: 32 dropout: 0 }\n";
  lesson.settings = {"training.epochs=12", "optimizer.learning_rate=0.01"};
  EXPECT_GE(Learn(lesson).at("exact_match").get<double>(), 0.99);
}

}  // namespace
}  // namespace lockstep::trainer
