#include "trainer/tasks/forecast/series_data.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/io/small_series.h"
#include "tests/io/temporary_folder.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

class SeriesDataTest : public ::testing::Test {
 protected:
  std::unique_ptr<SeriesData> Open(const io::SmallSeries& small, const std::string& name = "a.h5") {
    small.Write(folder_ / name);
    return std::make_unique<SeriesData>(folder_ / name, proto::Forecast());
  }

  io::TemporaryFolder folder_;
};

TEST_F(SeriesDataTest, WindowsReachBeyondBothEndsOfASeries) {
  const io::SmallSeries small(3, 40);
  const auto data = Open(small);
  SeriesData::Batch batch(*data);
  constexpr int64_t kHistory = 45, kHorizon = 4;
  // Series 1 has 41 rows and one future row; its history begins four rows in front of it.
  const Window window = {1, 41};
  batch.ReadWindows({&window, 1}, kHistory, kHorizon);
  const auto history = batch.history();
  ASSERT_EQ(history.size(), kHistory * 2u);
  for (int64_t t = 0; t < kHistory; ++t) {
    const int64_t row = t - 4;
    const float expected =
        row < 0 ? NAN
                : static_cast<float>((small.rows[1][row * 4 + 1] - data->means(1)[1]) /
                                     data->deviations(1)[1]);
    EXPECT_EQ(std::isnan(history[t * 2 + 1]), row < 0) << t;
    if (row >= 0) {
      EXPECT_NEAR(history[t * 2 + 1], expected, 1e-6) << t;
    }
  }
  EXPECT_EQ(batch.targets(), 0);
  const worker::ForecastBatch view = batch.view();
  for (int64_t t = 0; t < kHistory + kHorizon; ++t) {
    const int64_t row = t - 4;
    const bool there = row >= 0 && row < 42;
    EXPECT_EQ(view.known_categories[t], there ? row % 3 : -1) << t;
    if (!there) {
      EXPECT_EQ(view.known[t], 0.0f) << t;
    }
  }
}

TEST_F(SeriesDataTest, AdoptsScalesByName) {
  io::SmallSeries small(2, 40);
  const auto trained = Open(small);
  for (auto& row : small.rows) {
    for (float& value : row) value = value < 90 ? value : value + 1000;  // channel 0
  }
  small.series[1].id = "new";
  const auto data = Open(small, "b.h5");
  const double own = data->means(1)[0];
  ASSERT_GT(own, 1000);
  data->Adopt(trained->Facts(), "model.h5");
  EXPECT_EQ(data->means(0)[0], trained->means(0)[0]);
  EXPECT_EQ(data->deviations(0)[1], trained->deviations(0)[1]);
  EXPECT_EQ(data->means(1)[0], own);
}

TEST_F(SeriesDataTest, CategoriesAreTakenByTheirNames) {
  io::SmallSeries small(1, 40);
  const auto trained = Open(small);
  small.description.known[1].categories = {"yes", "no", "strike"};  // was no, yes, bridge
  small.description.statics[1].categories = {"de", "at"};
  const auto data = Open(small, "b.h5");
  data->Adopt(trained->Facts(), "model.h5");
  EXPECT_EQ(data->Facts()["known"], trained->Facts()["known"]);
  worker::ForecasterOptions options;
  data->FillInputs(options);
  EXPECT_EQ(options.known_categories, std::vector<int64_t>{3});
  SeriesData::Batch batch(*data);
  const Window window = {0, 9};
  batch.ReadWindows({&window, 1}, 9, 1);
  const worker::ForecastBatch view = batch.view();
  const std::vector<int32_t> expected = {1, 0, -1, 1, 0, -1};
  EXPECT_EQ(std::vector<int32_t>(view.known_categories, view.known_categories + 6), expected);
  EXPECT_EQ(view.static_categories[0], 1);  // "de" is 0 here and 1 there
}

TEST_F(SeriesDataTest, OtherColumnsAreRefused) {
  io::SmallSeries small(1, 40);
  const auto trained = Open(small);
  small.description.known[1].categories.clear();
  const auto numeric = Open(small, "b.h5");
  EXPECT_THROW(numeric->Adopt(trained->Facts(), "model.h5"), UsageError);
  small.description.channels = {"wind", "load"};
  const auto swapped = Open(small, "c.h5");
  EXPECT_THROW(swapped->Adopt(trained->Facts(), "model.h5"), UsageError);
}

}  // namespace
}  // namespace lockstep::trainer
