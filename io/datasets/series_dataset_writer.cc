#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/channel_moments.h"
#include "io/datasets/series_dataset.h"
#include "io/datasets/series_layout.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/publish.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_pieces.h"
#include "io/hdf5/h5_writer.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

void WriteCovariates(H5Writer& writer, const std::string& group,
                     const std::vector<SeriesCovariate>& covariates) {
  std::vector<std::string> names, categories;
  std::vector<uint64_t> counts;
  for (const SeriesCovariate& covariate : covariates) {
    names.push_back(covariate.name);
    counts.push_back(covariate.categories.size());
    categories.insert(categories.end(), covariate.categories.begin(), covariate.categories.end());
  }
  WriteStringList(writer, group + "/names", names);
  WriteStringList(writer, group + "/categories", categories);
  writer.WriteArray(group + "/category_counts", std::span<const uint64_t>(counts));
}

bool BoundsFit(const Series& series) {
  return series.begin <= series.train_end && series.train_end <= series.validation_end &&
         series.validation_end <= series.test_end && series.test_end <= series.rows &&
         series.future_rows <= std::numeric_limits<uint64_t>::max() - series.rows;
}

}  // namespace

struct SeriesDatasetWriter::Impl {
  Impl(const std::filesystem::path& output, SeriesDescription description_in)
      : description(std::move(description_in)),
        file(output),
        writer(std::in_place, file.path(), output),
        values(&*writer, kValuesArray, kValueDigestsArray, ElementType::kFloat32,
               {PieceRows(description.row_width()), description.row_width()}),
        moments(0) {}

  void RequireComplete() const {
    if (rows_left > 0) {
      throw std::invalid_argument(
          fmt::format("series {} lacks {} rows", ids.empty() ? "" : ids.back(), rows_left));
    }
  }

  void EndSeries() {
    for (uint64_t channel = 0; channel < description.channels.size(); ++channel) {
      means.push_back(description.scaled ? moments.Mean(channel) : 0);
      deviations.push_back(description.scaled ? moments.Deviation(channel) : 1);
    }
  }

  void WriteTable() {
    const uint64_t count = ids.size();
    WriteStringList(*writer, kSeriesIdsGroup, ids);
    writer->WriteArray(kSeriesRowsArray, std::span<const uint64_t>(rows));
    writer->WriteArray(kSeriesFutureRowsArray, std::span<const uint64_t>(future_rows));
    writer->WriteArray(kSeriesStartsArray, std::span<const int64_t>(starts));
    writer->WriteArray(kSeriesSplitsArray, ElementType::kUint64, {count, kSplitBounds},
                       bounds.data());
    const uint64_t channels = description.channels.size();
    writer->WriteArray(kSeriesMeansArray, ElementType::kFloat64, {count, channels}, means.data());
    writer->WriteArray(kSeriesDeviationsArray, ElementType::kFloat64, {count, channels},
                       deviations.data());
    writer->WriteArray(kSeriesStaticsArray, ElementType::kFloat32,
                       {count, description.statics.size()}, statics.data());
  }

  void WriteDescription() {
    WriteStringList(*writer, kChannelsGroup, description.channels);
    WriteCovariates(*writer, kKnownGroup, description.known);
    WriteCovariates(*writer, kStaticsGroup, description.statics);
    writer->WriteAttribute("/", "frequency", FrequencyText(description.frequency));
    writer->WriteAttribute("/", "missing", std::string(MissingModeName(description.missing)));
    writer->WriteAttribute("/", "scale", std::string(description.scaled ? "standard" : "none"));
    writer->WriteAttribute("/", "time", description.time);
  }

  SeriesDescription description;
  // In this order: HDF5 lets go of the file before it is removed.
  NewFile file;
  std::optional<H5Writer> writer;
  PieceWriter values;

  // The series under way.
  ChannelMoments moments;
  Series current;
  uint64_t rows_left = 0;

  // Of all series so far.
  std::vector<std::string> ids;
  std::vector<uint64_t> rows, future_rows, bounds;
  std::vector<int64_t> starts;
  std::vector<double> means, deviations;
  std::vector<float> statics;
};

SeriesDatasetWriter::SeriesDatasetWriter(const std::filesystem::path& output,
                                         SeriesDescription description) {
  if (description.channels.empty()) {
    throw InputError(fmt::format("{}: there is no column of values. Name one.", output.string()));
  }
  for (const auto* covariates : {&description.known, &description.statics}) {
    for (const SeriesCovariate& covariate : *covariates) {
      if (covariate.categories.size() > kMostCategories) {
        throw InputError(fmt::format("{}: {} has {} categories; {} are possible.", output.string(),
                                     covariate.name, covariate.categories.size(), kMostCategories));
      }
    }
  }
  impl_ = std::make_unique<Impl>(output, std::move(description));
}

SeriesDatasetWriter::~SeriesDatasetWriter() = default;

void SeriesDatasetWriter::StartSeries(const Series& series, std::span<const float> statics) {
  impl_->RequireComplete();
  if (!BoundsFit(series) || statics.size() != impl_->description.statics.size()) {
    throw std::invalid_argument("series " + series.id + ": its splits or statics do not fit");
  }
  if (!impl_->ids.empty()) impl_->EndSeries();
  impl_->moments = ChannelMoments(impl_->description.channels.size());
  impl_->current = series;
  impl_->rows_left = series.rows + series.future_rows;
  impl_->ids.push_back(series.id);
  impl_->rows.push_back(series.rows);
  impl_->future_rows.push_back(series.future_rows);
  impl_->starts.push_back(series.start);
  for (const uint64_t bound :
       {series.begin, series.train_end, series.validation_end, series.test_end}) {
    impl_->bounds.push_back(bound);
  }
  impl_->statics.insert(impl_->statics.end(), statics.begin(), statics.end());
}

void SeriesDatasetWriter::Append(std::span<const float> rows) {
  const uint64_t width = impl_->description.row_width();
  const uint64_t count = rows.size() / width;
  if (rows.size() % width != 0 || count > impl_->rows_left) {
    throw std::invalid_argument("series " + impl_->current.id + ": no such rows");
  }
  const Series& series = impl_->current;
  const uint64_t first = series.rows + series.future_rows - impl_->rows_left;
  const uint64_t begin = std::max(first, series.begin);
  const uint64_t end = std::min(first + count, series.train_end);
  if (impl_->description.scaled && begin < end) {
    impl_->moments.Add(rows.data() + (begin - first) * width, end - begin, width);
  }
  impl_->values.Append(rows.data(), count);
  impl_->rows_left -= count;
}

std::string SeriesDatasetWriter::Publish(const std::vector<Source>& sources) {
  impl_->RequireComplete();
  if (impl_->values.size() == 0) {
    throw InputError("there are no rows to write. Name a table that is not empty.");
  }
  impl_->EndSeries();
  impl_->values.Finish();
  impl_->WriteTable();
  impl_->WriteDescription();
  WriteSources(*impl_->writer, sources, kSeriesSourceUnit);
  impl_->writer->CloseAndCompare();
  std::string fingerprint = SeriesFingerprint(H5Reader(impl_->file.path()));
  WriteSeal(impl_->file.path(), std::string(kSeriesFormat.name), kSeriesFormat.version, 0);
  impl_->file.Publish();
  return fingerprint;
}

}  // namespace lockstep::io
