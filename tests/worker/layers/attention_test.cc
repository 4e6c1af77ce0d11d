// Attention against plain loops in double and their central differences.

#include "worker/layers/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

using Values = std::vector<double>;

struct AttentionCase {
  AttentionCase(AttentionScore score, int64_t Q, int64_t C, int64_t A, float bound = 0.7f)
      : options{score, Q, C, A}, attention(options, "attention", parameters) {
    parameters.Allocate();
    std::mt19937 generator(3);
    std::ranges::copy(UniformValues(generator, parameters.size(), bound),
                      parameters.values().begin());
    values = UniformValues(generator, source.rows() * C, 1.0f);
    queries = UniformValues(generator, target.rows() * Q, 1.0f);
    d_contexts = UniformValues(generator, target.rows() * C, 1.0f);
    contexts.resize(target.rows() * C);
    d_queries.resize(target.rows() * Q);
    d_values.resize(source.rows() * C);
  }

  void Forward() {
    attention.SetSource(source, values.data());
    attention.Begin(target, source_of.data(), queries.data(), contexts.data());
    attention.Forward(0, target.time_steps());
  }

  void Run() {
    Forward();
    attention.BeginBackward(d_contexts.data(), d_queries.data());
    attention.Backward(0, target.time_steps());
    attention.FinishBackward(d_values.data());
  }

  const AttentionOptions options;
  const PackedSteps source = PackedSteps::OfLengths(std::vector<int64_t>{7, 5, 5, 2, 1});
  const PackedSteps target = PackedSteps::OfLengths(std::vector<int64_t>{6, 4, 3, 3, 1});
  const std::vector<int64_t> source_of = {2, 4, 0, 3, 1};
  Parameters parameters;
  Attention attention;
  std::vector<float> values, queries, contexts, d_contexts, d_queries, d_values;
};

// The sum of contexts * d_contexts, each item by itself, as the formulas read.
class Reference {
 public:
  explicit Reference(const AttentionCase& of) : of_(of) {
    const auto add = [&](const std::string& name, std::span<const float> x) {
      arrays[name] = Values(x.begin(), x.end());
    };
    for (const Parameter& p : of.parameters.list()) {
      add(p.name, of.parameters.values().subspan(p.offset, p.size));
    }
    add("values", of.values);
    add("queries", of.queries);
  }

  double Loss(Values* contexts = nullptr, std::vector<int64_t>* attended = nullptr) {
    double loss = 0.0;
    const int64_t C = of_.options.value_size;
    if (contexts) contexts->assign(of_.contexts.size(), 0.0);
    if (attended) attended->assign(of_.target.rows(), 0);
    for (int64_t item = 0; item < of_.target.items(); ++item) {
      for (int64_t t = 0; t < of_.target.length(item); ++t) {
        const int64_t row = of_.target.first_row(t) + item, source = of_.source_of[item];
        const Values scores = Scores(row, source);
        if (attended) (*attended)[row] = std::ranges::max_element(scores) - scores.begin();
        double sum = 0.0;
        for (const double score : scores) sum += std::exp(score);
        for (size_t j = 0; j < scores.size(); ++j) {
          const double weight = std::exp(scores[j]) / sum;
          for (int64_t i = 0; i < C; ++i) {
            const double part = weight * Value(source, static_cast<int64_t>(j))[i];
            loss += part * of_.d_contexts[row * C + i];
            if (contexts) (*contexts)[row * C + i] += part;
          }
        }
      }
    }
    return loss;
  }

  std::map<std::string, Values> arrays;

 private:
  const double* Value(int64_t source, int64_t t) const {
    const int64_t row = of_.source.first_row(t) + source;
    return arrays.at("values").data() + row * of_.options.value_size;
  }

  static double Dot(int64_t size, const double* a, const double* b) {
    return std::inner_product(a, a + size, b, 0.0);
  }

  Values Scores(int64_t row, int64_t source) const {
    const int64_t Q = of_.options.query_size, C = of_.options.value_size,
                  K = of_.options.key_size();
    const double* query = arrays.at("queries").data() + row * Q;
    const double* key_weight = arrays.at("attention.key.weight").data();
    Values scores;
    for (int64_t j = 0; j < of_.source.length(source); ++j) {
      double score = 0.0;
      for (int64_t k = 0; k < K; ++k) {
        const double key = Dot(C, key_weight + k * C, Value(source, j));
        if (of_.options.score == AttentionScore::kGeneral) {
          score += query[k] * key;
        } else {
          const double* query_weight = arrays.at("attention.query.weight").data();
          score += arrays.at("attention.vector")[k] *
                   std::tanh(Dot(Q, query_weight + k * Q, query) + key);
        }
      }
      scores.push_back(score);
    }
    return scores;
  }

  const AttentionCase& of_;
};

// Some tens of roundings of float32; contexts and scores here are about 1.
constexpr double kTolerance = 3e-6;
// Of the largest gradient of its array.
constexpr double kGradientTolerance = 1e-5;

// Of every element, or of some in large arrays.
void ExpectGradient(Reference& reference, const std::string& name, std::span<const float> actual) {
  Values& values = reference.arrays.at(name);
  ASSERT_EQ(values.size(), actual.size());
  Values expected, some;
  double largest = 0.0;
  for (size_t i = 0; i < values.size(); i += 1 + values.size() / 64) {
    constexpr double kStep = 1e-5;
    const double old = values[i];
    values[i] = old + kStep;
    const double above = reference.Loss();
    values[i] = old - kStep;
    expected.push_back((above - reference.Loss()) / (2.0 * kStep));
    values[i] = old;
    some.push_back(actual[i]);
    largest = std::max(largest, std::abs(expected.back()));
  }
  EXPECT_THAT(some, testing::Pointwise(testing::DoubleNear(kGradientTolerance * largest), expected))
      << name;
}

// Sizes below a vector's width, above it, and multiples of it.
using Sizes = std::tuple<AttentionScore, std::array<int64_t, 3>>;
class AttentionTest : public testing::TestWithParam<Sizes> {
 protected:
  AttentionCase Make() const {
    const auto [score, sizes] = GetParam();
    return {score, sizes[0], sizes[1], sizes[2]};
  }
};

TEST_P(AttentionTest, AsTheFormulasRead) {
  AttentionCase of = Make();
  of.Run();
  Reference reference(of);
  Values contexts;
  std::vector<int64_t> attended;
  reference.Loss(&contexts, &attended);
  EXPECT_THAT(Values(of.contexts.begin(), of.contexts.end()),
              testing::Pointwise(testing::DoubleNear(kTolerance), contexts));
  for (int64_t item = 0; item < of.target.items(); ++item) {
    for (int64_t t = 0; t < of.target.length(item); ++t) {
      const int64_t row = of.target.first_row(t) + item;
      EXPECT_EQ(of.attention.MostAttended(item, row), attended[row]);
    }
  }
  ExpectGradient(reference, "values", of.d_values);
  ExpectGradient(reference, "queries", of.d_queries);
  for (const Parameter& p : of.parameters.list()) {
    ExpectGradient(reference, p.name, of.parameters.gradient().subspan(p.offset, p.size));
  }
}

TEST_P(AttentionTest, StepByStepIsAllAtOnce) {
  AttentionCase whole = Make(), steps = Make();
  whole.Run();
  steps.attention.SetSource(steps.source, steps.values.data());
  steps.attention.Begin(steps.target, steps.source_of.data(), steps.queries.data(),
                        steps.contexts.data());
  const int64_t T = steps.target.time_steps();
  for (int64_t t = 0; t < T; ++t) steps.attention.Forward(t, t + 1);
  EXPECT_EQ(steps.contexts, whole.contexts);
  steps.attention.BeginBackward(steps.d_contexts.data(), steps.d_queries.data());
  for (int64_t t = T - 1; t >= 0; --t) steps.attention.Backward(t, t + 1);
  steps.attention.FinishBackward(steps.d_values.data());
  EXPECT_EQ(steps.d_queries, whole.d_queries);
  // Steps come in another order, and so do the sums over them.
  EXPECT_THAT(steps.d_values, testing::Pointwise(testing::FloatNear(2e-6f), whole.d_values));
  const auto gradient = whole.parameters.gradient();
  EXPECT_THAT(steps.parameters.gradient(),
              testing::Pointwise(testing::FloatNear(1e-5f),
                                 std::vector<float>(gradient.begin(), gradient.end())));
}

// Gradients are added to what is there; a second pass over the same arrays gives the same again.
TEST_P(AttentionTest, AddsToGradients) {
  AttentionCase of = Make();
  of.Run();
  const auto gradient = of.parameters.gradient();
  std::vector<float> twice(gradient.begin(), gradient.end());
  for (float& x : twice) x *= 2.0f;
  const auto d_values = of.d_values;
  of.Run();
  EXPECT_EQ(of.d_values, d_values);
  EXPECT_THAT(of.parameters.gradient(), testing::Pointwise(testing::FloatNear(1e-5f), twice));
}

INSTANTIATE_TEST_SUITE_P(Sizes, AttentionTest,
                         testing::Combine(testing::Values(AttentionScore::kAdditive,
                                                          AttentionScore::kGeneral),
                                          testing::Values(std::array<int64_t, 3>{3, 2, 5},
                                                          std::array<int64_t, 3>{13, 21, 19},
                                                          std::array<int64_t, 3>{16, 69, 32})));

// What no training should reach, and what it must show.
TEST(AdditiveAttentionTest, LargeValuesStayFiniteAndNanShows) {
  AttentionCase of(AttentionScore::kAdditive, 13, 21, 19, 60.0f);
  of.Run();
  const auto finite = [](const auto& values) {
    return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
  };
  EXPECT_TRUE(finite(of.contexts) && finite(of.d_queries) && finite(of.d_values));
  EXPECT_TRUE(finite(of.parameters.gradient()));
  of.queries[4] = std::numeric_limits<float>::quiet_NaN();
  of.Forward();
  EXPECT_TRUE(std::isnan(of.contexts[0]));
  EXPECT_TRUE(std::isfinite(of.contexts[of.options.value_size]));  // the next item's
}

// As a search has them: rows that share a source.
TEST(AttentionSearchTest, RowsMayShareASource) {
  AttentionCase of(AttentionScore::kGeneral, 13, 21, 0);
  of.Forward();
  const std::vector<int64_t> source_of = {2, 2, 4};
  std::vector<float> queries(of.queries.begin(), of.queries.begin() + 13), contexts(3 * 21);
  queries.insert(queries.end(), queries.begin(), queries.begin() + 13);
  queries.insert(queries.end(), of.queries.begin() + 13, of.queries.begin() + 26);
  of.attention.Begin(PackedSteps::Uniform(1, 3), source_of.data(), queries.data(), contexts.data());
  of.attention.Forward(0, 1);
  const auto expected = [&](int64_t row) {
    return std::vector<float>(of.contexts.begin() + row * 21, of.contexts.begin() + row * 21 + 21);
  };
  const auto row = [&](int64_t i) {
    return std::vector<float>(contexts.begin() + i * 21, contexts.begin() + i * 21 + 21);
  };
  EXPECT_EQ(row(0), expected(0));
  EXPECT_EQ(row(1), expected(0));
  EXPECT_EQ(row(2), expected(1));
}

}  // namespace
}  // namespace lockstep::worker
