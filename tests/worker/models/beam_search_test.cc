// Search over a model that is a table: against all targets that there are, by hand, by counting.

#include "worker/models/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/philox.h"

namespace lockstep::worker {
namespace {

using Tokens = std::vector<int32_t>;

constexpr int64_t kClasses = 4;
constexpr int32_t kEnd = 3;

// Logits are a function of the item and of all tokens so far.
class TableModel : public SearchedModel {
 public:
  static std::vector<float> LogitsOf(int64_t item, const Tokens& prefix) {
    PhiloxCounter words = {static_cast<uint32_t>(item), 7, 8, 9};
    for (const int32_t token : prefix) {
      words[1] += static_cast<uint32_t>(token) + 1;
      words = Philox(words, {1, 2});
    }
    words = Philox(words, {3, 4});
    std::vector<float> logits(kClasses);
    for (int64_t i = 0; i < kClasses; ++i) {
      logits[i] = static_cast<float>(UniformDouble(words[i], 0)) * 4.0f - 2.0f;
    }
    return logits;
  }

  static std::vector<double> LogProbabilities(int64_t item, const Tokens& prefix) {
    const auto logits = LogitsOf(item, prefix);
    double sum = 0.0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    std::vector<double> values;
    for (const float logit : logits) values.push_back(logit - std::log(sum));
    return values;
  }

  static int32_t AttendedOf(int64_t item, const Tokens& prefix) {
    int32_t value = static_cast<int32_t>(item);
    for (const int32_t token : prefix) value = value * 5 + token + 1;
    return value;
  }

  Answer Next(std::span<const int64_t> from, std::span<const int32_t> tokens) override {
    std::vector<std::pair<int64_t, Tokens>> rows;
    for (size_t i = 0; i < from.size(); ++i) {
      if (rows_of_step.empty()) {
        EXPECT_EQ(tokens[i], kEnd);
        rows.emplace_back(from[i], Tokens{});
      } else {
        rows.push_back(rows_[from[i]]);
        rows.back().second.push_back(tokens[i]);
      }
    }
    rows_ = std::move(rows);
    rows_of_step.push_back(from.size());
    logits_.clear();
    attended_.clear();
    for (const auto& [item, prefix] : rows_) {
      const auto logits = LogitsOf(item, prefix);
      logits_.insert(logits_.end(), logits.begin(), logits.end());
      attended_.push_back(AttendedOf(item, prefix));
    }
    return {logits_.data(), attended_.data()};
  }

  std::vector<size_t> rows_of_step;

 private:
  std::vector<std::pair<int64_t, Tokens>> rows_;
  std::vector<float> logits_;
  std::vector<int32_t> attended_;
};

double Score(double log_probability, size_t tokens, double alpha) {
  return log_probability / std::pow((5.0 + static_cast<double>(tokens) + 1.0) / 6.0, alpha);
}

// Every target of an item, the best first.
std::vector<Hypothesis> AllTargets(int64_t item, int64_t most_tokens, double alpha) {
  std::vector<Hypothesis> all;
  std::vector<std::pair<Tokens, double>> begun = {{{}, 0.0}};
  while (!begun.empty()) {
    const auto [prefix, log_probability] = begun.back();
    begun.pop_back();
    const auto next = TableModel::LogProbabilities(item, prefix);
    Hypothesis& ended = all.emplace_back();
    ended.tokens = prefix;
    ended.log_probability = log_probability + next[kEnd];
    ended.score = Score(ended.log_probability, prefix.size(), alpha);
    if (static_cast<int64_t>(prefix.size()) == most_tokens) continue;
    for (int32_t token = 0; token < kEnd; ++token) {
      Tokens longer = prefix;
      longer.push_back(token);
      begun.emplace_back(longer, log_probability + next[token]);
    }
  }
  std::ranges::sort(all, std::greater<>(), &Hypothesis::score);
  return all;
}

// Logits are float32 and so are the sums of their exponentials.
constexpr double kTolerance = 1e-5;

void ExpectSame(const std::vector<Hypothesis>& actual, const std::vector<Hypothesis>& expected,
                size_t count) {
  ASSERT_EQ(actual.size(), count);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_EQ(actual[i].tokens, expected[i].tokens) << i;
    EXPECT_NEAR(actual[i].log_probability, expected[i].log_probability, kTolerance);
    EXPECT_NEAR(actual[i].score, expected[i].score, kTolerance);
  }
}

class BeamOfAll : public testing::TestWithParam<double> {};

TEST_P(BeamOfAll, FindsWhatIsBest) {
  const std::vector<int64_t> most_tokens = {4, 2, 0, 3};
  for (const int nbest : {1, 5, 1000}) {
    TableModel model;
    const auto found = Search(model, {kClasses, kEnd, most_tokens},
                              {.beam = 1000, .nbest = nbest, .length_penalty = GetParam()});
    ASSERT_EQ(found.size(), most_tokens.size());
    for (size_t item = 0; item < most_tokens.size(); ++item) {
      const auto all = AllTargets(static_cast<int64_t>(item), most_tokens[item], GetParam());
      ExpectSame(found[item], all, std::min<size_t>(nbest, all.size()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Penalties, BeamOfAll, testing::Values(0.0, 1.0, 3.0));

TEST(BeamSearchTest, GreedyTakesTheLikeliestEachTime) {
  const std::vector<int64_t> most_tokens(30, 6);
  TableModel model;
  const auto found = Search(model, {kClasses, kEnd, most_tokens}, {});
  size_t longest = 0;
  for (int64_t item = 0; item < 30; ++item) {
    ASSERT_EQ(found[item].size(), 1u);
    Tokens expected;
    std::vector<int32_t> attended;
    double log_probability = 0.0;
    while (true) {
      const auto next = TableModel::LogProbabilities(item, expected);
      int32_t token = static_cast<int32_t>(std::ranges::max_element(next) - next.begin());
      if (expected.size() == 6) token = kEnd;
      log_probability += next[token];
      if (token == kEnd) break;
      attended.push_back(TableModel::AttendedOf(item, expected));
      expected.push_back(token);
    }
    EXPECT_EQ(found[item][0].tokens, expected);
    EXPECT_EQ(found[item][0].attended, attended);
    EXPECT_NEAR(found[item][0].log_probability, log_probability, kTolerance);
    longest = std::max(longest, expected.size());
  }
  EXPECT_EQ(longest, 6u);  // some item meets its limit
}

// A beam by the book: all continuations of all beginnings, sorted.
std::vector<Hypothesis> PlainBeam(int64_t item, int64_t most_tokens, int beam, double alpha) {
  std::vector<Hypothesis> ended;
  std::vector<std::pair<Tokens, double>> begun = {{{}, 0.0}};
  while (!begun.empty()) {
    std::vector<std::pair<Tokens, double>> all;
    for (const auto& [prefix, log_probability] : begun) {
      const auto next = TableModel::LogProbabilities(item, prefix);
      for (int32_t token = 0; token <= kEnd; ++token) {
        if (static_cast<int64_t>(prefix.size()) == most_tokens && token != kEnd) continue;
        all.emplace_back(prefix, log_probability + next[token]);
        all.back().first.push_back(token);
      }
    }
    std::ranges::stable_sort(all, std::greater<>(), &std::pair<Tokens, double>::second);
    const size_t width = beam - ended.size();
    if (all.size() > width) all.resize(width);
    begun.clear();
    for (auto& [tokens, log_probability] : all) {
      if (tokens.back() != kEnd) {
        begun.emplace_back(tokens, log_probability);
        continue;
      }
      Hypothesis& hypothesis = ended.emplace_back();
      hypothesis.tokens.assign(tokens.begin(), tokens.end() - 1);
      hypothesis.log_probability = log_probability;
      hypothesis.score = Score(log_probability, tokens.size() - 1, alpha);
    }
  }
  std::ranges::sort(ended, std::greater<>(), &Hypothesis::score);
  return ended;
}

TEST(BeamSearchTest, NarrowBeamsAreThoseOfTheBook) {
  const std::vector<int64_t> most_tokens(20, 8);
  for (const int beam : {2, 3, 5}) {
    TableModel model;
    const auto found = Search(model, {kClasses, kEnd, most_tokens},
                              {.beam = beam, .nbest = beam, .length_penalty = 0.6});
    TableModel one;
    const auto best =
        Search(one, {kClasses, kEnd, most_tokens}, {.beam = beam, .length_penalty = 0.6});
    for (int64_t item = 0; item < 20; ++item) {
      const auto expected = PlainBeam(item, 8, beam, 0.6);
      ExpectSame(found[item], expected, beam);
      ExpectSame(best[item], expected, 1);  // that it stops early changes nothing
    }
  }
}

TEST(BeamSearchTest, WhatHasEndedCostsNothing) {
  const std::vector<int64_t> most_tokens = {5, 0, 1, 3};
  TableModel model;
  const auto found = Search(model, {kClasses, kEnd, most_tokens}, {.beam = 1000, .nbest = 1000});
  // All beginnings of 0, 1, ... tokens that may go on, of three tokens each: items 4, 3, 2, 2,
  // 1, 1.
  EXPECT_THAT(model.rows_of_step, testing::ElementsAre(4, 3 * 3, 9 * 2, 27 * 2, 81, 243));
}

TEST(BeamSearchTest, DrawsAsOftenAsTheModelSays) {
  constexpr int64_t kItems = 20000;
  for (const double temperature : {1.0, 0.5}) {
    class OneModel : public TableModel {
     public:
      Answer Next(std::span<const int64_t> from, std::span<const int32_t>) override {
        const auto logits = LogitsOf(1, {});
        all_.clear();
        for (size_t i = 0; i < from.size(); ++i) {
          all_.insert(all_.end(), logits.begin(), logits.end());
        }
        return {all_.data(), nullptr};
      }
      std::vector<float> all_;
    } model;
    const std::vector<int64_t> most_tokens(kItems, 1);
    const auto found =
        Search(model, {kClasses, kEnd, most_tokens}, {.temperature = temperature, .seed = 5});
    std::map<int32_t, int64_t> counts;
    for (const auto& of_item : found) {
      ++counts[of_item[0].tokens.empty() ? kEnd : of_item[0].tokens[0]];
      EXPECT_TRUE(of_item[0].attended.empty());
    }
    const auto logits = TableModel::LogitsOf(1, {});
    double sum = 0.0;
    for (const float logit : logits) sum += std::exp(logit / temperature);
    for (int32_t token = 0; token < kClasses; ++token) {
      const double p = std::exp(logits[token] / temperature) / sum;
      // Five standard deviations.
      EXPECT_NEAR(static_cast<double>(counts[token]) / kItems, p,
                  5.0 * std::sqrt(p * (1.0 - p) / kItems));
    }
  }
}

TEST(BeamSearchTest, DrawsBelongToTheItemsNumber) {
  const std::vector<int64_t> most_tokens(6, 8);
  const SearchOptions options = {.nbest = 3, .temperature = 1.5, .seed = 9};
  TableModel model, again;
  const auto found = Search(model, {kClasses, kEnd, most_tokens}, options);
  const auto same = Search(again, {kClasses, kEnd, most_tokens}, options);
  for (size_t item = 0; item < 6; ++item) {
    ASSERT_EQ(found[item].size(), 3u);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(found[item][i].tokens, same[item][i].tokens);
      const Tokens& tokens = found[item][i].tokens;
      double log_probability = 0.0;  // of the model, not of the temperature
      for (size_t t = 0; t <= tokens.size(); ++t) {
        const Tokens prefix(tokens.begin(), tokens.begin() + static_cast<int64_t>(t));
        log_probability += TableModel::LogProbabilities(
            static_cast<int64_t>(item), prefix)[t < tokens.size() ? tokens[t] : kEnd];
      }
      EXPECT_NEAR(found[item][i].log_probability, log_probability, kTolerance);
    }
  }
  EXPECT_NE(found[0][0].tokens, found[0][1].tokens);
  // Item 0 alone, once under its own number and once under another one.
  const int64_t own = 0, other = 4;
  const std::vector<int64_t> one = {8};
  const auto alone = [&](const int64_t* number) {
    TableModel of_one;
    std::vector<Tokens> draws;
    const auto of_item = Search(of_one, {kClasses, kEnd, one, number}, options);
    for (const Hypothesis& hypothesis : of_item[0]) draws.push_back(hypothesis.tokens);
    return draws;
  };
  std::vector<Tokens> expected;
  for (const Hypothesis& hypothesis : found[0]) expected.push_back(hypothesis.tokens);
  EXPECT_EQ(alone(&own), expected);
  EXPECT_NE(alone(&other), expected);
}

TEST(BeamSearchTest, SaysThatLogitsAreNotNumbers) {
  class BrokenModel : public SearchedModel {
   public:
    Answer Next(std::span<const int64_t>, std::span<const int32_t>) override {
      static const float logits[] = {0.0f, std::numeric_limits<float>::quiet_NaN(), 0.0f, 0.0f};
      return {logits, nullptr};
    }
  } model;
  const std::vector<int64_t> most_tokens = {3};
  EXPECT_THROW(Search(model, {kClasses, kEnd, most_tokens}, {}), std::domain_error);
}

TEST(BeamSearchTest, RefusesWhatMakesNoSense) {
  TableModel model;
  const std::vector<int64_t> most_tokens = {3};
  const SearchTask task = {kClasses, kEnd, most_tokens};
  EXPECT_THROW(Search(model, task, {.beam = 0}), std::invalid_argument);
  EXPECT_THROW(Search(model, task, {.beam = 2, .nbest = 3}), std::invalid_argument);
  EXPECT_THROW(Search(model, task, {.length_penalty = -1.0}), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::worker
