// Gradients of layers too wide for a difference of every single weight: for each parameter the
// slope of the reference's loss along the gradient itself, and along a random direction.

#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/central_difference.h"
#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

// The central difference of the loss along `direction` of one parameter.
double Slope(ReferenceModel& reference, const ModelCase& model_case, const std::string& name,
             const std::vector<double>& direction) {
  return CentralDifference(reference.value(name), direction, [&] {
    ReferenceState state = model_case.InitialReferenceState();
    return reference.Loss(model_case.batch(), state, &model_case.site);
  });
}

using Shape = std::tuple<Cell, int64_t>;  // cell, H

class LanguageModelSlopeTest : public testing::TestWithParam<Shape> {};

void ExpectSlopes(const Shape& shape, int64_t vocabulary_size) {
  SCOPED_TRACE(testing::Message() << "vocabulary of " << vocabulary_size);
  ModelCase model_case({.vocabulary_size = vocabulary_size,
                        .embedding_size = 6,
                        .cell = std::get<0>(shape),
                        .layers = 2,
                        .hidden_size = std::get<1>(shape),
                        .dropout = 0.2},
                       3, 5);
  for (float& value : model_case.model.parameters().values()) value *= 0.15f;
  model_case.Run();
  ReferenceModel reference = model_case.Reference();
  std::mt19937 generator(1);
  for (const Parameter& parameter : model_case.model.parameters().list()) {
    const auto slice =
        model_case.model.parameters().gradient().subspan(parameter.offset, parameter.size);
    const std::vector<double> gradient(slice.begin(), slice.end());
    const auto random = UniformValues(generator, gradient.size(), 1.0f);
    for (const auto& direction : {gradient, std::vector<double>(random.begin(), random.end())}) {
      const double expected = Slope(reference, model_case, parameter.name, direction);
      const double slope =
          std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0);
      // As in language_model_gradient_test, relative to all of the gradient.
      EXPECT_NEAR(slope, expected, 5e-6 * Norm(gradient) * Norm(direction)) << parameter.name;
    }
  }
}

TEST_P(LanguageModelSlopeTest, AlongTheGradientAndAtRandom) { ExpectSlopes(GetParam(), 17); }

// The input side of each token once.
TEST_P(LanguageModelSlopeTest, OfATableOfTokensToo) { ExpectSlopes(GetParam(), 7); }

// Where gH is a multiple of 256 the rows of gates stand apart in memory (64 units of an LSTM, 256
// of any cell); 100 units are no multiple of anything.
INSTANTIATE_TEST_SUITE_P(All, LanguageModelSlopeTest,
                         testing::Combine(testing::ValuesIn(AllCells()),
                                          testing::Values(64, 100, 256)),
                         [](const auto& test) {
                           return CellName(std::get<0>(test.param)) + "H" +
                                  std::to_string(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace lockstep::worker
