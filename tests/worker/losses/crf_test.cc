// The CRF against the enumeration of all paths in double, and against a plain forward pass where
// there are too many.

#include "worker/losses/crf.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/central_difference.h"
#include "tests/worker/model_case.h"
#include "worker/products/precision.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;
using testing::DoubleNear;
using testing::Pointwise;

Doubles InDouble(const Floats& x) { return {x.begin(), x.end()}; }

// A CRF with random scores and a ragged batch for it.
struct CrfCase {
  CrfCase(int64_t tags_in, const std::vector<int64_t>& lengths, float bound = 2.0f,
          float emission_bound = 2.0f)
      : tags(tags_in), steps(PackedSteps::OfLengths(lengths)) {
    std::mt19937 generator(static_cast<uint32_t>(tags));
    transitions = UniformValues(generator, tags * tags, bound);
    start = UniformValues(generator, tags, bound);
    end = UniformValues(generator, tags, bound);
    emissions = UniformValues(generator, steps.rows() * tags, emission_bound);
    for (int64_t row = 0; row < steps.rows(); ++row) {
      path.push_back(static_cast<int32_t>(generator() % tags));
    }
  }

  CrfScores scores() const { return {transitions.data(), start.data(), end.data()}; }

  int64_t tags;
  PackedSteps steps;
  Floats transitions, start, end, emissions;  // [K, K], [K], [K], [R, K]
  std::vector<int32_t> path;                  // [R]
};

// The same values in double, which a test may change.
struct Values {
  explicit Values(const CrfCase& of)
      : transitions(InDouble(of.transitions)),
        start(InDouble(of.start)),
        end(InDouble(of.end)),
        emissions(InDouble(of.emissions)) {}
  Doubles transitions, start, end, emissions;
};

double ScoreOf(const CrfCase& of, const Values& v, int64_t item, const std::vector<int32_t>& path) {
  double score = v.start[path.front()] + v.end[path.back()];
  for (size_t t = 0; t < path.size(); ++t) {
    score += v.emissions[(of.steps.first_row(t) + item) * of.tags + path[t]];
    if (t > 0) score += v.transitions[path[t - 1] * of.tags + path[t]];
  }
  return score;
}

// Calls use(path) for all K^n paths; the last tag changes first.
template <class Use>
void ForEachPath(int64_t tags, int64_t n, const Use& use) {
  std::vector<int32_t> path(n, 0);
  while (true) {
    use(path);
    int64_t t = n - 1;
    while (t >= 0 && path[t] == tags - 1) path[t--] = 0;
    if (t < 0) return;
    ++path[t];
  }
}

double LogZ(const CrfCase& of, const Values& v, int64_t item) {
  double most = -std::numeric_limits<double>::infinity(), sum = 0.0;
  const int64_t n = of.steps.length(item);
  ForEachPath(of.tags, n, [&](const auto& p) { most = std::max(most, ScoreOf(of, v, item, p)); });
  ForEachPath(of.tags, n, [&](const auto& p) { sum += std::exp(ScoreOf(of, v, item, p) - most); });
  return most + std::log(sum);
}

std::vector<int32_t> PathOf(const CrfCase& of, int64_t item, const std::vector<int32_t>& tags) {
  std::vector<int32_t> path;
  for (int64_t t = 0; t < of.steps.length(item); ++t) {
    path.push_back(tags[of.steps.first_row(t) + item]);
  }
  return path;
}

double LossOf(const CrfCase& of, const Values& v) {
  double loss = 0.0;
  for (int64_t item = 0; item < of.steps.items(); ++item) {
    loss += LogZ(of, v, item) - ScoreOf(of, v, item, PathOf(of, item, of.path));
  }
  return loss;
}

// What enumeration says of a batch.
struct Expected {
  explicit Expected(const CrfCase& of)
      : marginals(of.steps.rows() * of.tags),
        d_transitions(of.tags * of.tags),
        best(of.steps.rows()) {
    const Values v(of);
    const int64_t K = of.tags;
    for (int64_t item = 0; item < of.steps.items(); ++item) {
      const auto gold = PathOf(of, item, of.path);
      const double log_z = LogZ(of, v, item);
      loss += log_z - ScoreOf(of, v, item, gold);
      double most = -std::numeric_limits<double>::infinity();
      ForEachPath(K, of.steps.length(item), [&](const std::vector<int32_t>& path) {
        const double score = ScoreOf(of, v, item, path), p = std::exp(score - log_z);
        for (size_t t = 0; t < path.size(); ++t) {
          const int64_t row = of.steps.first_row(t) + item;
          marginals[row * K + path[t]] += p;
          if (t > 0) d_transitions[path[t - 1] * K + path[t]] += p;
          if (score > most) best[row] = path[t];
        }
        most = std::max(most, score);
      });
      for (size_t t = 1; t < gold.size(); ++t) d_transitions[gold[t - 1] * K + gold[t]] -= 1.0;
    }
  }

  double loss = 0.0;
  Doubles marginals, d_transitions;
  std::vector<int32_t> best;
};

struct Result {
  explicit Result(const CrfCase& of)
      : d_emissions(of.emissions),
        d_transitions(of.tags * of.tags),
        d_start(of.tags),
        d_end(of.tags),
        marginals(of.emissions),
        best(of.steps.rows(), -1) {
    Crf crf(of.tags);
    loss = crf.LossAndGradient(of.steps, of.scores(), of.path.data(), d_emissions.data(),
                               {d_transitions.data(), d_start.data(), d_end.data()});
    loss_alone = crf.Loss(of.steps, of.scores(), of.path.data(), of.emissions.data());
    crf.Marginals(of.steps, of.scores(), marginals.data());
    crf.LikeliestPaths(of.steps, of.scores(), of.emissions.data(), best.data());
  }

  double loss = 0.0, loss_alone = 0.0;
  Floats d_emissions, d_transitions, d_start, d_end, marginals;
  std::vector<int32_t> best;
};

// Losses are of some tens with the roundings of floats of that size; probabilities are up to 1, and
// tens of roundings of 6e-8 follow each other.
constexpr double kTolerance = 2e-6;

void ExpectAsEnumerated(const CrfCase& of) {
  const Expected expected(of);
  const Result result(of);
  EXPECT_NEAR(result.loss, expected.loss, kTolerance * std::max(1.0, expected.loss));
  EXPECT_EQ(result.loss_alone, result.loss);
  EXPECT_THAT(InDouble(result.marginals), Pointwise(DoubleNear(kTolerance), expected.marginals));
  const int64_t K = of.tags;
  Doubles d_emissions = expected.marginals, d_start(K), d_end(K);
  for (int64_t row = 0; row < of.steps.rows(); ++row) d_emissions[row * K + of.path[row]] -= 1.0;
  for (int64_t item = 0; item < of.steps.items(); ++item) {
    for (int64_t j = 0; j < K; ++j) {
      d_start[j] += d_emissions[item * K + j];
      d_end[j] += d_emissions[of.steps.last_row(item) * K + j];
    }
  }
  const double sums = kTolerance * static_cast<double>(of.steps.rows());
  EXPECT_THAT(InDouble(result.d_emissions), Pointwise(DoubleNear(kTolerance), d_emissions));
  EXPECT_THAT(InDouble(result.d_transitions), Pointwise(DoubleNear(sums), expected.d_transitions));
  EXPECT_THAT(InDouble(result.d_start), Pointwise(DoubleNear(sums), d_start));
  EXPECT_THAT(InDouble(result.d_end), Pointwise(DoubleNear(sums), d_end));
  EXPECT_EQ(result.best, expected.best);
}

TEST(CrfTest, IsAsAllPathsEnumerated) {
  // Blocks of four items and what is left of them; one row alone; no tag to choose.
  ExpectAsEnumerated(CrfCase(3, {6, 5, 5, 3, 2, 2, 1}));
  ExpectAsEnumerated(CrfCase(2, {9, 1, 1, 1, 1, 1}));
  ExpectAsEnumerated(CrfCase(5, {4, 4, 4, 4}));
  ExpectAsEnumerated(CrfCase(4, {1}));
  ExpectAsEnumerated(CrfCase(1, {3, 2}));
}

// Its gradient is a difference of counts, which rounding would not let vanish.
TEST(CrfTest, IsAsExactWhereProductsAreInBf16) {
  const PrecisionScope bf16(Precision::kBf16);
  ExpectAsEnumerated(CrfCase(3, {6, 5, 5, 3, 2, 2, 1}));
}

// Rows of tags are padded to 16 floats.
TEST(CrfTest, IsAsAllPathsEnumeratedWithManyTags) {
  for (const int64_t tags : {15, 16, 17, 31, 33, 50}) {
    SCOPED_TRACE(tags);
    ExpectAsEnumerated(CrfCase(tags, {3, 2, 2, 1, 1}));
  }
}

TEST(CrfTest, GradientIsTheSlopeOfTheLoss) {
  const CrfCase of(3, {5, 3, 3, 2, 1});
  const Result result(of);
  Values values(of);
  const auto expect_slopes = [&](Doubles& x, const Floats& gradient, const char* name) {
    SCOPED_TRACE(name);
    for (size_t i = 0; i < x.size(); ++i) {
      Doubles direction(x.size(), 0.0);
      direction[i] = 1.0;
      EXPECT_NEAR(gradient[i], CentralDifference(x, direction, [&] { return LossOf(of, values); }),
                  1e-5)
          << i;
    }
  };
  expect_slopes(values.emissions, result.d_emissions, "emissions");
  expect_slopes(values.transitions, result.d_transitions, "transitions");
  expect_slopes(values.start, result.d_start, "start");
  expect_slopes(values.end, result.d_end, "end");
}

TEST(CrfTest, GradientsAreAddedToWhatIsThere) {
  const CrfCase of(3, {4, 2});
  const Result once(of);
  Floats emissions = of.emissions, transitions = once.d_transitions, start = once.d_start,
         end = once.d_end;
  Crf(3).LossAndGradient(of.steps, of.scores(), of.path.data(), emissions.data(),
                         {transitions.data(), start.data(), end.data()});
  for (size_t i = 0; i < transitions.size(); ++i) {
    EXPECT_FLOAT_EQ(transitions[i], 2.0f * once.d_transitions[i]);
  }
  for (size_t i = 0; i < start.size(); ++i) {
    EXPECT_NEAR(start[i], 2.0f * once.d_start[i], 1e-6);
    EXPECT_NEAR(end[i], 2.0f * once.d_end[i], 1e-6);
  }
}

// Emissions of any size: floats hold only what is left of them beside the largest. Scores that lie
// less than some 60 apart go the same way, those beyond it over logarithms.
TEST(CrfTest, HoldsForScoresOfAnySize) {
  SetThreads(DefaultThreads());  // as in a training: too small to be normal is zero
  for (const float emission_bound : {50.0f, 400.0f, 1e6f}) {
    SCOPED_TRACE(emission_bound);
    ExpectAsEnumerated(CrfCase(3, {5, 4, 4, 2, 1}, 2.0f, emission_bound));
  }
  for (const float bound : {14.9f, 25.0f, 29.9f, 31.0f, 400.0f, 1e5f}) {
    for (const float emission_bound : {2.0f, 60.0f, 400.0f}) {
      SCOPED_TRACE(testing::Message() << bound << " and " << emission_bound);
      ExpectAsEnumerated(CrfCase(3, {5, 4, 4, 2, 1}, bound, emission_bound));
      ExpectAsEnumerated(CrfCase(17, {3, 2, 1}, bound, emission_bound));
    }
  }
}

// What is too small for a float beside the likeliest tag, whose transition is all but impossible,
// wins at the next step.
TEST(CrfTest, WhatIsDroppedDoesNotComeBack) {
  SetThreads(DefaultThreads());
  CrfCase of(3, {3, 3});
  std::ranges::fill(of.transitions, 0.0f);
  std::ranges::fill(of.emissions, 0.0f);
  of.transitions[0 * 3 + 1] = -58.0f;
  for (int64_t to = 0; to < 3; ++to) of.transitions[1 * 3 + to] = -58.0f;
  float* e = of.emissions.data();
  for (int64_t item = 0; item < 2; ++item) {
    e[item * 3] = 100.0f;         // begins with tag 0
    e[(2 + item) * 3] = -200.0f;  // then 1, or 2: by e^-58 and by e^-95
    e[(2 + item) * 3 + 2] = -95.0f;
  }
  ExpectAsEnumerated(of);
}

// log Z by a plain forward pass over logarithms.
double PlainLogZ(const CrfCase& of, int64_t item) {
  const int64_t K = of.tags;
  Doubles now(K), terms(K);
  const auto log_sum = [&] {
    const double most = *std::ranges::max_element(terms);
    double sum = 0.0;
    for (const double x : terms) sum += std::exp(x - most);
    return most + std::log(sum);
  };
  for (int64_t t = 0; t < of.steps.length(item); ++t) {
    const float* e = of.emissions.data() + (of.steps.first_row(t) + item) * K;
    const Doubles before = now;
    for (int64_t j = 0; j < K; ++j) {
      for (int64_t i = 0; i < K; ++i) terms[i] = before[i] + of.transitions[i * K + j];
      now[j] = e[j] + (t > 0 ? log_sum() : of.start[j]);
    }
  }
  for (int64_t j = 0; j < K; ++j) terms[j] = now[j] + of.end[j];
  return log_sum();
}

TEST(CrfTest, LongItemsKeepTheirDigits) {
  const CrfCase of(9, {700, 500, 20}, 3.0f, 10.0f);
  double expected = 0.0;
  for (int64_t item = 0; item < of.steps.items(); ++item) {
    expected += PlainLogZ(of, item) - ScoreOf(of, Values(of), item, PathOf(of, item, of.path));
  }
  const Result result(of);
  // 1,220 rows of about 1e-7 each; the loss is of thousands.
  EXPECT_NEAR(result.loss, expected, 1e-4);
  for (int64_t row = 0; row < of.steps.rows(); ++row) {
    const float* p = result.marginals.data() + row * of.tags;
    ASSERT_NEAR(std::accumulate(p, p + of.tags, 0.0), 1.0, 1e-4) << "row " << row;
  }
}

TEST(CrfTest, OfEqualPathsTheOneOfLowerTagsIsTaken) {
  for (const int64_t tags : {5, 17, 70}) {
    CrfCase of(tags, {4, 1});
    for (Floats* values : {&of.transitions, &of.start, &of.end, &of.emissions}) {
      std::ranges::fill(*values, 0.0f);
    }
    EXPECT_THAT(Result(of).best, testing::Each(0));
  }
}

TEST(CrfTest, LikeliestPathsOfLongItemsAreNoWorseThanAnyChange) {
  const CrfCase of(6, {300, 40}, 3.0f, 3.0f);
  const Values values(of);
  const Result result(of);
  for (int64_t item = 0; item < 2; ++item) {
    std::vector<int32_t> path = PathOf(of, item, result.best);
    const double best = ScoreOf(of, values, item, path);
    // Every pair of neighbours is changed: what only looks at one tag is not enough for a path.
    for (size_t t = 0; t + 1 < path.size(); ++t) {
      const int32_t first = path[t], second = path[t + 1];
      for (int32_t other = 0; other < 36; ++other) {
        path[t] = other / 6;
        path[t + 1] = other % 6;
        ASSERT_LE(ScoreOf(of, values, item, path), best + 1e-4) << "row " << t;
      }
      path[t] = first;
      path[t + 1] = second;
    }
  }
}

// The items of a batch as batches of one.
TEST(CrfTest, AnItemsFiguresAreTheSameBitsWhateverStandsBesideIt) {
  const CrfCase of(19, {9, 8, 8, 5, 5, 5, 2});
  const Result together(of);
  double loss = 0.0;
  for (int64_t item = 0; item < of.steps.items(); ++item) {
    CrfCase alone(19, {of.steps.length(item)});
    alone.transitions = of.transitions;
    alone.start = of.start;
    alone.end = of.end;
    for (int64_t t = 0; t < of.steps.length(item); ++t) {
      const int64_t row = of.steps.first_row(t) + item;
      std::copy_n(of.emissions.begin() + row * 19, 19, alone.emissions.begin() + t * 19);
      alone.path[t] = of.path[row];
    }
    const Result result(alone);
    loss += result.loss;
    for (int64_t t = 0; t < of.steps.length(item); ++t) {
      const int64_t row = of.steps.first_row(t) + item;
      for (int64_t j = 0; j < 19; ++j) {
        ASSERT_EQ(result.marginals[t * 19 + j], together.marginals[row * 19 + j]);
      }
      ASSERT_EQ(result.best[t], together.best[row]);
    }
  }
  EXPECT_EQ(loss, together.loss);
}

TEST(CrfTest, TheNumberOfThreadsDoesNotMatter) {
  const CrfCase of(5, {9, 8, 8, 5, 5, 5, 2, 2, 1, 1, 1, 1, 1});
  SetThreads(1);
  const Result one(of);
  SetThreads(3);
  const Result three(of);
  SetThreads(DefaultThreads());
  EXPECT_EQ(one.loss, three.loss);
  EXPECT_EQ(one.d_emissions, three.d_emissions);
  EXPECT_EQ(one.best, three.best);
}

// A training that has diverged must show.
TEST(CrfTest, NanInAnyScoreReachesTheLoss) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const CrfCase healthy(17, {3, 2});
  ASSERT_TRUE(std::isfinite(Result(healthy).loss));
  for (const auto& [values, place] :
       {std::pair{&CrfCase::emissions, 3}, std::pair{&CrfCase::emissions, 16},
        std::pair{&CrfCase::transitions, 0}, std::pair{&CrfCase::transitions, 100},
        std::pair{&CrfCase::start, 0}, std::pair{&CrfCase::start, 5}, std::pair{&CrfCase::end, 0},
        std::pair{&CrfCase::end, 16}}) {
    CrfCase of(17, {3, 2});
    (of.*values)[place] = nan;
    EXPECT_TRUE(std::isnan(Result(of).loss)) << "place " << place;
  }
}

}  // namespace
}  // namespace lockstep::worker
