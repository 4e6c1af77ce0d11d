#include "io/datasets/series_dataset.h"

#include <cstring>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/errors.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_reader.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/small_series.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// NaN equals itself.
bool SameBits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::vector<float> AllRows(const SmallSeries& small) {
  std::vector<float> all;
  for (const auto& rows : small.rows) all.insert(all.end(), rows.begin(), rows.end());
  return all;
}

class SeriesDatasetTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "series.h5";
};

TEST_F(SeriesDatasetTest, EverythingComesBack) {
  const SmallSeries small;
  const std::string fingerprint = small.Write(path_);
  const SeriesDataset dataset = SeriesDataset::Open(path_);
  EXPECT_EQ(dataset.path(), path_);
  EXPECT_EQ(dataset.fingerprint(), fingerprint);
  const SeriesDescription& description = dataset.description();
  EXPECT_THAT(description.channels, ElementsAre("load", "wind"));
  ASSERT_EQ(description.known.size(), 2u);
  EXPECT_EQ(description.known[0].name, "price");
  EXPECT_TRUE(description.known[0].categories.empty());
  EXPECT_THAT(description.known[1].categories, ElementsAre("no", "yes", "bridge"));
  ASSERT_EQ(description.statics.size(), 2u);
  EXPECT_THAT(description.statics[1].categories, ElementsAre("at", "de"));
  EXPECT_EQ(description.time, "date");
  EXPECT_EQ(description.frequency, (Frequency{3600, 0}));
  EXPECT_EQ(description.missing, MissingMode::kMask);
  EXPECT_TRUE(description.scaled);
  ASSERT_EQ(dataset.series_count(), 3u);
  EXPECT_EQ(dataset.row_count(), small.first_row);
  for (size_t i = 0; i < 3; ++i) {
    const Series& series = dataset.series(i);
    const Series& meant = small.series[i];
    EXPECT_EQ(series.id, meant.id);
    EXPECT_EQ(series.first_row, meant.first_row);
    EXPECT_EQ(series.rows, meant.rows);
    EXPECT_EQ(series.future_rows, meant.future_rows);
    EXPECT_EQ(series.start, meant.start);
    EXPECT_EQ(series.train_end, meant.train_end);
    EXPECT_EQ(series.validation_end, meant.validation_end);
    EXPECT_EQ(series.test_end, meant.test_end);
    EXPECT_TRUE(SameBits(dataset.statics(i), small.statics[i]));
    std::vector<float> rows(small.rows[i].size());
    dataset.ReadRows(series.first_row, rows);
    EXPECT_TRUE(SameBits(rows, small.rows[i]));
  }
  const SourceList sources = dataset.ReadSources(1);
  EXPECT_EQ(sources.count, 2u);
  ASSERT_EQ(sources.first.size(), 1u);
  EXPECT_EQ(sources.first[0].path, "first.csv");
  EXPECT_EQ(sources.first[0].size, 40u);
}

TEST_F(SeriesDatasetTest, WindowsComeBackWhateverTheCacheHolds) {
  const SmallSeries small(5, 20000);  // 25 pieces of 4,096 rows
  small.Write(path_);
  const std::vector<float> all = AllRows(small);
  for (const uint64_t cache_bytes : {uint64_t{0}, uint64_t{200'000}, uint64_t{1} << 30}) {
    const SeriesDataset dataset = SeriesDataset::Open(path_, cache_bytes);
    uint64_t state = 1;
    for (int window = 0; window < 500; ++window) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const uint64_t length = 1 + (state >> 20) % (window % 50 == 0 ? 9000 : 192);
      const uint64_t first = (state >> 33) % (dataset.row_count() - length + 1);
      std::vector<float> out(length * 4);
      dataset.ReadRows(first, out);
      ASSERT_TRUE(SameBits(out, std::span(all).subspan(first * 4, length * 4)));
    }
  }
}

TEST_F(SeriesDatasetTest, RowsOutsideAreRefused) {
  const SmallSeries small;
  small.Write(path_);
  const SeriesDataset dataset = SeriesDataset::Open(path_);
  std::vector<float> out(8);
  EXPECT_NO_THROW(dataset.ReadRows(dataset.row_count() - 2, out));
  EXPECT_NO_THROW(dataset.ReadRows(dataset.row_count(), {}));
  EXPECT_THROW(dataset.ReadRows(dataset.row_count() - 1, out), std::out_of_range);
  EXPECT_THROW(dataset.ReadRows(~uint64_t{0}, out), std::out_of_range);
  EXPECT_THROW(dataset.ReadRows(0, {out.data(), 7}), std::out_of_range);
}

TEST_F(SeriesDatasetTest, ScalingIsLearntFromTheTrainingRowsAlone) {
  SmallSeries small(2, 40);
  small.description.channels = {"a", "b", "constant", "empty"};
  small.description.known = {};
  for (size_t i = 0; i < 2; ++i) {
    small.series[i].begin = 3;
    for (uint64_t row = 0; row < small.rows[i].size() / 4; ++row) {
      float* values = &small.rows[i][row * 4];
      values[0] = row < 3 || row >= small.series[i].train_end ? 1e9f : 1e6f + (row % 2 ? 1 : -1);
      values[1] = row == 4 ? NAN : static_cast<float>(row);
      values[2] = row < 20 ? 0.1f : 7;
      values[3] = row < 20 ? NAN : 7;
    }
  }
  small.Write(path_);
  const SeriesDataset dataset = SeriesDataset::Open(path_);
  // Rows 3 to 19 of both series: 9 odd and 8 even ones; the second channel lacks row 4.
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(dataset.means(i)[0], 1e6 + 1.0 / 17, 1e-9);
    EXPECT_NEAR(dataset.deviations(i)[0], std::sqrt(1 - 1.0 / 289), 1e-9);
    EXPECT_NEAR(dataset.means(i)[1], (187 - 4) / 16.0, 1e-12);
    double squares = 0;
    for (int row = 3; row < 20; ++row) squares += row == 4 ? 0 : std::pow(row - 183 / 16.0, 2);
    EXPECT_NEAR(dataset.deviations(i)[1], std::sqrt(squares / 16), 1e-12);
    EXPECT_EQ(dataset.means(i)[2], double{0.1f});
    EXPECT_EQ(dataset.deviations(i)[2], 1);
    EXPECT_EQ(dataset.means(i)[3], 0);
    EXPECT_EQ(dataset.deviations(i)[3], 1);
  }
  small.description.scaled = false;
  small.Write(path_);
  EXPECT_THAT(SeriesDataset::Open(path_).means(1), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(SeriesDataset::Open(path_).deviations(1), ElementsAre(1, 1, 1, 1));
}

TEST_F(SeriesDatasetTest, AppendMayBeCutAnyhow) {
  const SmallSeries small(2, 9000);
  const std::string fingerprint = small.Write(path_);
  SeriesDatasetWriter writer(path_, small.description);
  for (size_t i = 0; i < 2; ++i) {
    writer.StartSeries(small.series[i], small.statics[i]);
    std::span<const float> rest = small.rows[i];
    for (size_t length = 0; !rest.empty(); length = 2 * length + 4) {
      const size_t now = std::min(length, rest.size());
      writer.Append(rest.first(now));
      rest = rest.subspan(now);
    }
  }
  writer.Publish();
  const SeriesDataset dataset = SeriesDataset::Open(path_);
  std::vector<float> out(dataset.row_count() * 4);
  dataset.ReadRows(0, out);
  EXPECT_TRUE(SameBits(out, AllRows(small)));
  EXPECT_NEAR(dataset.means(0)[1], 0.25 * 2249.5, 1e-9);
  EXPECT_NEAR(dataset.deviations(0)[1], 0.25 * std::sqrt((4500.0 * 4500.0 - 1) / 12), 1e-9);
}

TEST_F(SeriesDatasetTest, TheFingerprintIsOfWhatTrainingSees) {
  const std::string first = SmallSeries().Write(path_);
  EXPECT_EQ(first.size(), 32u);
  const auto changed = [&](const std::function<void(SmallSeries&)>& change) {
    SmallSeries small;
    change(small);
    return small.Write(path_);
  };
  EXPECT_EQ(changed([](auto& small) {}), first);
  EXPECT_EQ(changed([](auto& small) { small.description.time = "ds"; }), first);
  EXPECT_NE(changed([](auto& small) { small.rows[2][1] += 1; }), first);
  EXPECT_NE(changed([](auto& small) { small.description.channels[0] = "x"; }), first);
  EXPECT_NE(changed([](auto& small) { small.description.known[1].categories[0] = "x"; }), first);
  EXPECT_NE(changed([](auto& small) { small.description.frequency = {60, 0}; }), first);
  EXPECT_NE(changed([](auto& small) { small.description.scaled = false; }), first);
  EXPECT_NE(changed([](auto& small) { small.series[1].id = "x"; }), first);
  EXPECT_NE(changed([](auto& small) { small.series[1].start += 1; }), first);
  EXPECT_NE(changed([](auto& small) { small.series[1].validation_end += 1; }), first);
  EXPECT_NE(changed([](auto& small) { small.statics[1][0] += 1; }), first);
}

TEST_F(SeriesDatasetTest, WhatDoesNotFitIsRefusedAndLeavesTheOldFile) {
  const SmallSeries small;
  small.Write(path_);
  const std::string old = Bytes(path_);
  {
    SeriesDatasetWriter writer(path_, small.description);
    EXPECT_THROW(writer.Publish(), InputError);
    EXPECT_THROW(writer.StartSeries(small.series[0], {}), std::invalid_argument);
    Series series = small.series[0];
    series.test_end = series.rows + 1;
    EXPECT_THROW(writer.StartSeries(series, small.statics[0]), std::invalid_argument);
    writer.StartSeries(small.series[0], small.statics[0]);
    EXPECT_THROW(writer.Append(std::vector<float>(3)), std::invalid_argument);
    EXPECT_THROW(writer.Append(std::vector<float>(4 * 41)), std::invalid_argument);
    EXPECT_THROW(writer.StartSeries(small.series[1], small.statics[1]), std::invalid_argument);
    EXPECT_THROW(writer.Publish(), std::invalid_argument);
  }
  EXPECT_THROW(SeriesDatasetWriter(path_, SeriesDescription()), InputError);
  EXPECT_THROW(SeriesDatasetWriter(folder_ / "missing/a.h5", small.description), InputError);
  EXPECT_THAT(folder_.Names(), ElementsAre("series.h5"));
  EXPECT_EQ(Bytes(path_), old);
}

TEST_F(SeriesDatasetTest, OtherFormatsAreInputErrorsThatSaySo) {
  WriteDataset(path_, 1000, 4);
  try {
    SeriesDataset::Open(path_);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lockstep.tokens, not a dataset of series"));
  }
  EXPECT_THROW(SeriesDataset::Open(folder_ / "missing"), InputError);
  SmallSeries().Write(path_);
  EXPECT_THROW(Dataset::Open(path_), InputError);
  WriteSeal(path_, "lockstep.series", 2, 0);
  EXPECT_THROW(SeriesDataset::Open(path_), InputError);
}

// All digests hold, and a value is none: a category of its own.
TEST_F(SeriesDatasetTest, ValuesThatCannotBeAreDamage) {
  SmallSeries small;
  for (const auto& [index, value] : std::vector<std::pair<size_t, float>>{
           {0, INFINITY}, {2, NAN}, {3, 3}, {3, -1}, {3, 0.5f}, {3, NAN}}) {
    small = SmallSeries();
    small.rows[1][4 * 7 + index] = value;
    small.description.scaled = false;
    small.Write(path_);
    const SeriesDataset dataset = SeriesDataset::Open(path_);
    std::vector<float> out(4);
    EXPECT_THROW(dataset.ReadRows(0, out), DamagedFileError) << index << " " << value;
  }
  for (const float value : {2.0f, -1.0f, 0.5f, NAN}) {
    small = SmallSeries();
    small.statics[1][1] = value;
    small.Write(path_);
    EXPECT_THROW(SeriesDataset::Open(path_), DamagedFileError) << value;
  }
}

// fletcher32 takes a chunk of zeros whose checksum is zero for whole.
TEST_F(SeriesDatasetTest, AZeroedChunkIsDamage) {
  const SmallSeries small(1, 9000);
  small.Write(path_);
  std::string bytes = Bytes(path_);
  const std::string piece(reinterpret_cast<const char*>(&small.rows[0][16384]), 65536);
  const size_t chunk = bytes.find(piece);
  ASSERT_NE(chunk, std::string::npos);
  bytes.replace(chunk, 65536 + 4, std::string(65536 + 4, '\0'));
  PutBytes(path_, bytes);
  const SeriesDataset dataset = SeriesDataset::Open(path_);
  std::vector<float> out(4 * 4096);
  dataset.ReadRows(0, out);
  EXPECT_THROW(dataset.ReadRows(4096, out), DamagedFileError);
  EXPECT_THROW(dataset.ReadRows(8191, {out.data(), 4}), DamagedFileError);
  // The means, too, which nobody reads again.
  const double means[] = {dataset.means(0)[0], dataset.means(0)[1]};
  const size_t place = bytes.find(std::string(reinterpret_cast<const char*>(means), sizeof(means)));
  ASSERT_NE(place, std::string::npos);
  bytes.replace(place, sizeof(means) + 4, std::string(sizeof(means) + 4, '\0'));
  PutBytes(path_, bytes);
  EXPECT_THROW(SeriesDataset::Open(path_), DamagedFileError);
}

}  // namespace
}  // namespace lockstep::io
