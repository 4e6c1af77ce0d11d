#include "worker/layers/gate_kernels.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/layers/tanh.h"

// The backward kernels are covered by language_model_gradient_test.

namespace lockstep::worker {
namespace {

// Rounding of 1 to 6 units in the last place of values up to 2.
constexpr double kTolerance = 1e-6;

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// The arrays of one time step, with the pre-activations split between gates and product.
struct StepArrays {
  StepArrays(int64_t B, int64_t H, const std::vector<float>& pre_activations)
      : lanes(B), units(H), gates(pre_activations.size()), product(pre_activations.size()) {
    std::mt19937 generator(1);
    const size_t state = lanes * units;
    h_previous = UniformValues(generator, state, 1.0f);
    c_previous = UniformValues(generator, state, 1.0f);
    candidate_bias = UniformValues(generator, units, 1.0f);
    for (size_t i = 0; i < gates.size(); ++i) {
      gates[i] = 0.25f * pre_activations[i];
      product[i] = 0.75f * pre_activations[i];
    }
    for (auto* array : {&h, &c, &candidate}) array->assign(state, -9.0f);
  }

  GateStep Step() {
    GateStep step;
    step.lanes = lanes;
    step.units = units;
    step.product = product.data();
    step.gates = gates.data();
    step.gate_stride = static_cast<int64_t>(gates.size()) / lanes;
    step.h_previous = h_previous.data();
    step.c_previous = c_previous.data();
    step.candidate_bias = candidate_bias.data();
    step.h = h.data();
    step.c = c.data();
    step.candidate = candidate.data();
    return step;
  }

  int64_t lanes, units;
  std::vector<float> gates, product, h_previous, c_previous, candidate_bias, h, c, candidate;
};

// Every number of units around the widths of vectors: each element where it belongs.
TEST(GateKernelsTest, LstmForwardIsItsFormulaForEveryWidth) {
  for (int64_t units = 1; units <= 40; ++units) {
    std::mt19937 generator(units);
    const int64_t lanes = 2;
    const auto x = UniformValues(generator, lanes * units * 4, 5.0f);
    StepArrays arrays(lanes, units, x);
    LstmForward(arrays.Step());
    for (int64_t i = 0; i < lanes * units; ++i) {
      const int64_t lane = i / units, unit = i % units;
      const auto gate = [&](int64_t g) { return x[(lane * 4 + g) * units + unit]; };
      const double c =
          Sigmoid(gate(1)) * arrays.c_previous[i] + Sigmoid(gate(0)) * std::tanh(gate(2));
      ASSERT_NEAR(arrays.c[i], c, kTolerance) << units << " units, element " << i;
      ASSERT_NEAR(arrays.h[i], Sigmoid(gate(3)) * std::tanh(c), kTolerance);
    }
  }
}

TEST(GateKernelsTest, GruForwardIsItsFormulaForEveryWidth) {
  for (int64_t units = 1; units <= 40; ++units) {
    std::mt19937 generator(units);
    const auto x = UniformValues(generator, units * 3, 5.0f);
    StepArrays arrays(1, units, x);
    const StepArrays before = arrays;
    GruForward(arrays.Step());
    for (int64_t j = 0; j < units; ++j) {
      const double r = Sigmoid(x[j]), z = Sigmoid(x[units + j]);
      const double hidden = before.product[2 * units + j] + before.candidate_bias[j];
      const double n = std::tanh(before.gates[2 * units + j] + r * hidden);
      ASSERT_NEAR(arrays.h[j], (1 - z) * n + z * before.h_previous[j], kTolerance)
          << units << " units, element " << j;
      ASSERT_NEAR(arrays.candidate[j], hidden, kTolerance);
    }
  }
}

// Bit for bit, of all forward kernels: where a lane's input side stands changes nothing.
TEST(GateKernelsTest, InputSidesFromATableAreAsInGates) {
  struct Kernel {
    int64_t gates;
    std::function<void(const GateStep&)> forward;
  };
  const std::vector<Kernel> kernels = {{1, [](const GateStep& step) { RnnForward(step, false); }},
                                       {1, [](const GateStep& step) { RnnForward(step, true); }},
                                       {4, LstmForward},
                                       {3, GruForward},
                                       {3, [](const GateStep& step) {
                                          GruResetForward(step);
                                          GruOutputForward(step);
                                        }}};
  const int64_t lanes = 3, units = 19, tokens = 5;
  const std::vector<int32_t> token_of = {4, 0, 4};
  for (const auto& [gates, forward] : kernels) {
    std::mt19937 generator(gates);
    const int64_t width = gates * units;
    const auto table = UniformValues(generator, tokens * width, 3.0f);
    StepArrays plain(lanes, units, UniformValues(generator, lanes * width, 3.0f));
    const int64_t stride = width + 3;
    plain.gates.assign(lanes * stride, 7.0f);
    StepArrays of_table = plain;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      std::copy_n(table.data() + token_of[lane] * width, width, plain.gates.data() + lane * stride);
    }
    forward(plain.Step());
    GateStep step = of_table.Step();
    step.tokens = token_of.data();
    step.table = table.data();
    forward(step);
    EXPECT_EQ(plain.h, of_table.h) << gates << " gates";
    EXPECT_EQ(plain.c, of_table.c) << gates << " gates";
    EXPECT_EQ(plain.candidate, of_table.candidate) << gates << " gates";
    if (gates == 1) continue;  // an RNN's are not changed
    EXPECT_EQ(plain.gates, of_table.gates) << gates << " gates";
  }
}

// Beyond where e^x is a float; every width of vector and the single rest.
TEST(GateKernelsTest, SaturatesAtAnyPreActivation) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float x : {30.0f, 90.0f, 104.5f, 200.0f, 1e3f, 1e10f, 3e38f, infinity}) {
    StepArrays high(1, 19, std::vector<float>(19 * 4, x));
    StepArrays low(1, 19, std::vector<float>(19 * 4, -x));
    LstmForward(high.Step());
    LstmForward(low.Step());
    for (int64_t j = 0; j < 19; ++j) {
      ASSERT_NEAR(high.c[j], high.c_previous[j] + 1.0, kTolerance) << x;
      ASSERT_NEAR(high.h[j], std::tanh(high.c_previous[j] + 1.0), kTolerance) << x;
      ASSERT_NEAR(low.c[j], 0.0, kTolerance) << -x;
      ASSERT_NEAR(low.h[j], 0.0, kTolerance) << -x;
    }
  }
}

double UnitsInTheLastPlace(float value, double expected) {
  const auto rounded = static_cast<float>(std::abs(expected));
  const float next = std::nextafter(rounded, std::numeric_limits<float>::infinity());
  return std::abs(value - expected) / (static_cast<double>(next) - rounded);
}

// From 2^-126, below which floats are denormal, to where it is 1; never beyond that.
TEST(GateKernelsTest, TanhIsRightToAFewUnitsInTheLastPlace) {
  std::vector<float> x = {0.0f, 104.5f, 1e10f, std::numeric_limits<float>::infinity()};
  for (float value = 0x1p-126f; value < 20.0f; value *= 1.0007f) x.push_back(value);
  for (float value = 0.001f; value < 10.0f; value += 0.001f) x.push_back(value);
  for (size_t i = x.size(); i-- > 0;) x.push_back(-x[i]);
  std::vector<float> y = x;
  Tanh(static_cast<int64_t>(y.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(UnitsInTheLastPlace(y[i], std::tanh(static_cast<double>(x[i]))), 6.0) << x[i];
    ASSERT_LE(std::abs(y[i]), 1.0f) << x[i];
  }
}

// Bit for bit: where an element stands, in a vector or alone behind the last one, changes nothing.
TEST(GateKernelsTest, TanhOfAnElementDoesNotDependOnTheOthers) {
  std::mt19937 generator(1);
  const auto x = UniformValues(generator, 1000, 9.0f);
  std::vector<float> all = x;
  Tanh(std::ssize(all), all.data());
  for (size_t i = 0; i < x.size(); ++i) {
    float alone = x[i];
    Tanh(1, &alone);
    ASSERT_EQ(alone, all[i]) << x[i];
  }
}

// Relative to its value, small as it is; below 2^-126 it may be 0.
TEST(GateKernelsTest, SigmoidIsRightToAFewUnitsInTheLastPlace) {
  const int64_t units = 8192;
  std::vector<float> x(units * 3);
  for (int64_t i = 0; i < units; ++i) {
    x[i] = x[units + i] = -87.0f + 174.0f * static_cast<float>(i) / units;
  }
  StepArrays arrays(1, units, x);
  arrays.gates = x;
  std::fill(arrays.product.begin(), arrays.product.end(), 0.0f);
  GruForward(arrays.Step());
  for (int64_t i = 0; i < 2 * units; ++i) {
    ASSERT_LE(UnitsInTheLastPlace(arrays.gates[i], Sigmoid(x[i])), 5.0) << x[i];
  }
}

// Where it is no normal float any more.
TEST(GateKernelsTest, SigmoidEndsAtZero) {
  std::vector<float> x;
  for (float value = -87.0f; value > -120.0f; value -= 0.01f) x.insert(x.end(), 3, value);
  StepArrays arrays(std::ssize(x) / 3, 1, x);
  arrays.gates = x;
  std::fill(arrays.product.begin(), arrays.product.end(), 0.0f);
  GruForward(arrays.Step());
  for (size_t i = 0; i < x.size(); i += 3) {
    ASSERT_GE(arrays.gates[i], 0.0f) << x[i];
    ASSERT_NEAR(arrays.gates[i], Sigmoid(x[i]), 7e-39) << x[i];
  }
}

// Bit for bit, as above.
TEST(GateKernelsTest, SigmoidOfAnElementDoesNotDependOnTheOthers) {
  const int64_t units = 1000;
  std::mt19937 generator(1);
  const auto x = UniformValues(generator, units * 3, 20.0f);
  StepArrays all(1, units, x);
  GruForward(all.Step());
  for (int64_t i = 0; i < units; ++i) {
    StepArrays alone(1, 1, {x[i], x[units + i], 0.0f});
    GruForward(alone.Step());
    ASSERT_EQ(alone.gates[0], all.gates[i]) << x[i];
    ASSERT_EQ(alone.gates[1], all.gates[units + i]) << x[units + i];
  }
}

TEST(GateKernelsTest, NanInAnyGateReachesTheOutput) {
  for (int64_t gate = 0; gate < 4; ++gate) {
    for (int64_t unit = 0; unit < 19; ++unit) {
      std::vector<float> x(19 * 4, 0.5f);
      x[gate * 19 + unit] = std::numeric_limits<float>::quiet_NaN();
      StepArrays lstm(1, 19, x);
      LstmForward(lstm.Step());
      ASSERT_TRUE(std::isnan(lstm.h[unit])) << "LSTM gate " << gate << " unit " << unit;
      if (gate == 3) continue;
      x.resize(19 * 3);
      StepArrays gru(1, 19, x);
      GruForward(gru.Step());
      ASSERT_TRUE(std::isnan(gru.h[unit])) << "GRU gate " << gate << " unit " << unit;
      if (gate > 0) continue;
      x.resize(19);
      for (const bool relu : {false, true}) {
        StepArrays rnn(1, 19, x);
        RnnForward(rnn.Step(), relu);
        ASSERT_TRUE(std::isnan(rnn.h[unit])) << (relu ? "RELU" : "TANH") << " unit " << unit;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::worker
