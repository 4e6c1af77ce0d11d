#include "trainer/tasks/text_metrics/span_f1.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/tasks/text_metrics/golden.h"

namespace lockstep::trainer {
namespace {

using Names = std::vector<std::string>;

std::vector<int32_t> Ids(const Names& tags, const Names& names) {
  std::vector<int32_t> ids;
  for (const std::string& name : names) {
    ids.push_back(static_cast<int32_t>(std::ranges::find(tags, name) - tags.begin()));
  }
  return ids;
}

double Percent(double share) { return 100.0 * share; }

TEST(SpanF1Test, FiguresOfConlleval) {
  for (const auto& one : TextMetricsGolden()["spans"]) {
    SCOPED_TRACE(one.dump());
    const Names tags = one["tags"];
    SpanF1 f1(tags);
    EXPECT_EQ(f1.scheme(), one["scheme"]);
    for (const auto& sentence : one["sentences"]) {
      f1.Add(Ids(tags, sentence[0].get<Names>()), Ids(tags, sentence[1].get<Names>()));
    }
    const SpanScores scores = f1.Finish(f1.sums());
    const auto& truth = one["scores"];
    constexpr double kRounding = 0.0051;  // it prints two digits
    EXPECT_EQ(scores.tokens, truth["tokens"]);
    EXPECT_NEAR(Percent(scores.token_accuracy), truth["accuracy"], kRounding);
    EXPECT_EQ(scores.all.truth, truth["truth"]);
    EXPECT_EQ(scores.all.found, truth["found"]);
    EXPECT_EQ(scores.all.correct, truth["correct"]);
    EXPECT_NEAR(Percent(scores.all.precision()), truth["precision"], kRounding);
    EXPECT_NEAR(Percent(scores.all.recall()), truth["recall"], kRounding);
    EXPECT_NEAR(Percent(scores.all.f1()), truth["f1"], kRounding);
    for (const auto& row : truth["rows"]) {  // those that occur
      const auto ours =
          std::ranges::find(scores.rows, row["type"].get<std::string>(), &SpanScore::type);
      ASSERT_NE(ours, scores.rows.end());
      EXPECT_EQ(ours->found, row["found"]);
      EXPECT_NEAR(Percent(ours->precision()), row["precision"], kRounding);
      EXPECT_NEAR(Percent(ours->recall()), row["recall"], kRounding);
      EXPECT_NEAR(Percent(ours->f1()), row["f1"], kRounding);
    }
  }
}

// Spans written down as a person would, then compared as sets.
using Span = std::tuple<int, int, std::string>;

std::set<Span> SpansOf(const Names& names) {
  std::set<Span> spans;
  int begin = -1;
  for (int i = 0; i <= std::ssize(names); ++i) {
    const std::string tag = i < std::ssize(names) ? names[i] : "O";
    const std::string last = i > 0 ? names[i - 1] : "O";
    const bool goes_on = begin >= 0 && (tag[0] == 'I' || tag[0] == 'E') && last[0] != 'E' &&
                         last[0] != 'S' && tag.substr(1) == last.substr(1);
    if (goes_on) continue;
    if (begin >= 0) spans.insert({begin, i, last.substr(2)});
    begin = tag == "O" ? -1 : i;
  }
  return spans;
}

TEST(SpanF1Test, CountsAreThoseOfSetsOfSpans) {
  const Names tags = {"B-x", "O", "I-y", "E-x", "S-x", "I-x", "B-y", "S-y", "E-y"};
  std::mt19937_64 random(3);
  SpanF1 f1(tags);
  int64_t truths = 0, founds = 0, correct = 0;
  for (int sentence = 0; sentence < 2000; ++sentence) {
    Names truth, found;
    for (uint64_t i = 1 + random() % 9; i > 0; --i) {
      truth.push_back(tags[random() % tags.size()]);
      found.push_back(random() % 3 > 0 ? truth.back() : tags[random() % tags.size()]);
    }
    f1.Add(Ids(tags, truth), Ids(tags, found));
    const std::set<Span> a = SpansOf(truth), b = SpansOf(found);
    truths += std::ssize(a), founds += std::ssize(b);
    correct += std::ranges::count_if(a, [&](const Span& span) { return b.contains(span); });
  }
  const SpanScores scores = f1.Finish(f1.sums());
  EXPECT_EQ(scores.all.truth, truths);
  EXPECT_EQ(scores.all.found, founds);
  EXPECT_EQ(scores.all.correct, correct);
  EXPECT_GT(correct, 100);
}

TEST(SpanF1Test, SchemesAreFoundFromTheTags) {
  const auto scheme = [](const Names& tags) { return std::string(SpanF1(tags).scheme()); };
  EXPECT_EQ(scheme({"O", "B-PER", "I-PER"}), "BIO");
  EXPECT_EQ(scheme({"O", "I-NP", "I-VP", "<unk>"}), "BIO");
  EXPECT_EQ(scheme({"O", "B-fromloc.city_name", "B-toloc-x"}), "BIO");
  EXPECT_EQ(scheme({"B", "I"}), "BIO");
  EXPECT_EQ(scheme({"O", "B-a", "I-a", "E-a", "S-a"}), "IOBES");
  EXPECT_EQ(scheme({"O", "B-a", "I-a", "L-a", "U-a"}), "BILOU");
  EXPECT_EQ(scheme({"NOUN", "VERB", "O"}), "");
  EXPECT_EQ(scheme({"NN", "NN-HL", "B-x"}), "");
  EXPECT_EQ(scheme({"O"}), "");
  EXPECT_EQ(scheme({"O", "E-a", "S-a"}), "");
  EXPECT_EQ(scheme({"O", "B-a", "E-a", "L-a"}), "");
}

TEST(SpanF1Test, BilouIsIobesByOtherLetters) {
  const Names iobes = {"O", "B-a", "I-a", "E-a", "S-a"}, bilou = {"O", "B-a", "I-a", "L-a", "U-a"};
  SpanF1 one(iobes), other(bilou);
  const std::vector<int32_t> truth = {4, 4, 1, 2, 3, 0, 2, 3, 3},
                             found = {4, 1, 2, 2, 3, 0, 2, 3, 1};
  one.Add(truth, found), other.Add(truth, found);
  EXPECT_THAT(one.sums(), testing::ElementsAreArray(other.sums()));
  EXPECT_EQ(one.Finish(one.sums()).all.correct, 3);  // tokens 0, 6 to 7, and 8
}

TEST(SpanF1Test, TagsOfTokensHaveAccuracyOnly) {
  SpanF1 f1({"NOUN", "VERB"});
  const std::vector<int32_t> truth = {0, 1, 0, 0}, found = {0, 1, 1, 0};
  f1.Add(truth, found);
  const SpanScores scores = f1.Finish(f1.sums());
  EXPECT_EQ(scores.token_accuracy, 0.75);
  EXPECT_EQ(scores.all.f1(), 0.0);
  EXPECT_TRUE(scores.rows.empty());
}

TEST(SpanF1Test, ASentenceEndsItsSpans) {
  const std::vector<int32_t> ones = {1, 1};
  SpanF1 f1({"O", "I-a"});
  f1.Add(ones, ones), f1.Add(ones, ones);
  EXPECT_EQ(f1.Finish(f1.sums()).all.correct, 2);
  EXPECT_THROW(f1.Add(ones, {}), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::trainer
