#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/series_dataset.h"
#include "io/datasets/series_layout.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_pieces.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

constexpr std::string_view kMissingNames[] = {"error", "forward", "interpolate", "mask"};

// All of an array of two dimensions.
template <typename Element>
std::vector<Element> ReadMatrix(const H5Reader& reader, const char* name, uint64_t rows,
                                uint64_t columns) {
  const H5Array array = reader.OpenArray(name);
  if (array.type() != ElementTypeOf<Element>() ||
      array.shape() != std::vector<uint64_t>{rows, columns}) {
    reader.FailBecause(fmt::format("{} should be {} [{}, {}]", name,
                                   ElementName(ElementTypeOf<Element>()), rows, columns));
  }
  std::vector<Element> elements(array.size());
  array.ReadAll(elements.data());
  return elements;
}

template <typename Element>
std::vector<Element> ReadColumn(const H5Reader& reader, const char* name, uint64_t rows) {
  std::vector<Element> elements = reader.ReadArray<Element>(name);
  if (elements.size() != rows) reader.FailBecause("the arrays in /series differ in length");
  return elements;
}

std::vector<SeriesCovariate> ReadCovariates(const H5Reader& reader, const std::string& group) {
  const std::vector<std::string> names = ReadStringList(reader, group + "/names");
  const std::vector<std::string> categories = ReadStringList(reader, group + "/categories");
  const auto counts = reader.ReadArray<uint64_t>(group + "/category_counts");
  if (counts.size() != names.size()) reader.FailBecause("the arrays in " + group + " do not fit");
  std::vector<SeriesCovariate> covariates;
  auto next = categories.begin();
  for (size_t i = 0; i < names.size(); ++i) {
    if (counts[i] >
        std::min<uint64_t>(static_cast<uint64_t>(categories.end() - next), kMostCategories)) {
      reader.FailBecause("the arrays in " + group + " do not fit");
    }
    const auto end = next + static_cast<ptrdiff_t>(counts[i]);
    covariates.push_back({names[i], {next, end}});
    next = end;
  }
  if (next != categories.end()) reader.FailBecause("the arrays in " + group + " do not fit");
  return covariates;
}

SeriesDescription ReadDescription(const H5Reader& reader) {
  SeriesDescription description;
  description.channels = ReadStringList(reader, kChannelsGroup);
  description.known = ReadCovariates(reader, kKnownGroup);
  description.statics = ReadCovariates(reader, kStaticsGroup);
  description.time = reader.ReadString("/", "time");
  const std::string frequency = reader.ReadString("/", "frequency");
  const std::optional<Frequency> parsed = FrequencyFromText(frequency);
  if (!parsed) reader.FailBecause("its frequency is none: " + frequency);
  description.frequency = *parsed;
  const std::string missing = reader.ReadString("/", "missing");
  const std::optional<MissingMode> mode = MissingModeFromName(missing);
  if (!mode) reader.FailBecause("it fills gaps as nobody does: " + missing);
  description.missing = *mode;
  const std::string scale = reader.ReadString("/", "scale");
  if (scale != "standard" && scale != "none") {
    reader.FailBecause("its values are scaled as nobody does: " + scale);
  }
  description.scaled = scale == "standard";
  if (description.channels.empty()) reader.FailBecause("it has no channel");
  return description;
}

// Whether a covariate can have this value.
bool Fits(const SeriesCovariate& covariate, float value) {
  if (covariate.categories.empty()) return std::isfinite(value);
  return value >= 0 && value < static_cast<float>(covariate.categories.size()) &&
         value == std::floor(value);
}

}  // namespace

std::string_view MissingModeName(MissingMode mode) {
  return kMissingNames[static_cast<size_t>(mode)];
}

std::optional<MissingMode> MissingModeFromName(std::string_view name) {
  const auto found = std::find(std::begin(kMissingNames), std::end(kMissingNames), name);
  if (found == std::end(kMissingNames)) return std::nullopt;
  return static_cast<MissingMode>(found - std::begin(kMissingNames));
}

struct SeriesDataset::Impl {
  Impl(const std::filesystem::path& path_in, uint64_t cache_bytes)
      : path(path_in),
        reader(path),
        description(ReadDescription(reader)),
        width(description.row_width()),
        piece_rows(PieceRows(width)),
        values(reader, kValuesArray, kValueDigestsArray, piece_rows, cache_bytes),
        fingerprint(SeriesFingerprint(reader)) {
    const H5Array& array = values.array();
    if (array.type() != ElementType::kFloat32 || array.shape().size() != 2 ||
        array.shape()[1] != width) {
      reader.FailBecause(fmt::format("{} should be float32 [rows, {}]", kValuesArray, width));
    }
    values.set_check([this](auto piece, uint64_t index) { CheckPiece(piece, index); });
    ReadTable(array.shape()[0]);
  }

  void ReadTable(uint64_t row_count) {
    std::vector<std::string> ids = ReadStringList(reader, kSeriesIdsGroup);
    const uint64_t count = ids.size();
    const auto rows = ReadColumn<uint64_t>(reader, kSeriesRowsArray, count);
    const auto future_rows = ReadColumn<uint64_t>(reader, kSeriesFutureRowsArray, count);
    const auto starts = ReadColumn<int64_t>(reader, kSeriesStartsArray, count);
    const auto bounds = ReadMatrix<uint64_t>(reader, kSeriesSplitsArray, count, kSplitBounds);
    means = ReadMatrix<double>(reader, kSeriesMeansArray, count, description.channels.size());
    deviations =
        ReadMatrix<double>(reader, kSeriesDeviationsArray, count, description.channels.size());
    statics = ReadMatrix<float>(reader, kSeriesStaticsArray, count, description.statics.size());
    uint64_t first_row = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t rest = row_count - first_row;
      const uint64_t* bound = &bounds[i * kSplitBounds];
      if (rows[i] > rest || future_rows[i] > rest - rows[i] ||
          !std::is_sorted(bound, bound + kSplitBounds) || bound[kSplitBounds - 1] > rows[i]) {
        reader.FailBecause(fmt::format("the rows of series {} do not fit", i));
      }
      series.push_back({std::move(ids[i]), first_row, rows[i], future_rows[i], starts[i], bound[0],
                        bound[1], bound[2], bound[3]});
      first_row += rows[i] + future_rows[i];
    }
    if (first_row != row_count) reader.FailBecause("it has rows that belong to no series");
    CheckTable();
  }

  void CheckTable() const {
    for (size_t i = 0; i < means.size(); ++i) {
      if (!std::isfinite(means[i]) || !std::isfinite(deviations[i]) || !(deviations[i] > 0)) {
        reader.FailBecause("a mean or a deviation of its series is none");
      }
    }
    for (size_t i = 0; i < statics.size(); ++i) {
      if (!Fits(description.statics[i % description.statics.size()], statics[i])) {
        reader.FailBecause("a static covariate has a value that it cannot have");
      }
    }
  }

  void CheckPiece(std::span<const char> piece, uint64_t index) const {
    const auto* row = reinterpret_cast<const float*>(piece.data());
    const float* end = row + piece.size() / sizeof(float);
    const uint64_t channels = description.channels.size();
    for (uint64_t number = index * piece_rows; row != end; row += width, ++number) {
      bool fits = true;
      for (uint64_t i = 0; i < channels; ++i) fits &= !std::isinf(row[i]);
      for (uint64_t i = channels; i < width; ++i) {
        fits = fits && Fits(description.known[i - channels], row[i]);
      }
      if (!fits) reader.FailBecause(fmt::format("row {} has a value that it cannot have", number));
    }
  }

  std::filesystem::path path;
  H5Reader reader;
  SeriesDescription description;
  uint64_t width;
  uint64_t piece_rows;
  PieceReader values;
  std::string fingerprint;
  std::vector<Series> series;
  std::vector<double> means, deviations;
  std::vector<float> statics;
};

SeriesDataset SeriesDataset::Open(const std::filesystem::path& path, uint64_t cache_bytes) {
  RequireFormat(path, ReadSeal(path), kSeriesFormat);
  return SeriesDataset(std::make_unique<Impl>(path, cache_bytes));
}

SeriesDataset::SeriesDataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SeriesDataset::SeriesDataset(SeriesDataset&&) noexcept = default;
SeriesDataset& SeriesDataset::operator=(SeriesDataset&&) noexcept = default;
SeriesDataset::~SeriesDataset() = default;

const std::filesystem::path& SeriesDataset::path() const { return impl_->path; }
const std::string& SeriesDataset::fingerprint() const { return impl_->fingerprint; }
const SeriesDescription& SeriesDataset::description() const { return impl_->description; }
uint64_t SeriesDataset::series_count() const { return impl_->series.size(); }
uint64_t SeriesDataset::row_count() const { return impl_->values.array().shape()[0]; }
const Series& SeriesDataset::series(uint64_t index) const { return impl_->series.at(index); }

std::span<const double> SeriesDataset::means(uint64_t series) const {
  const uint64_t channels = impl_->description.channels.size();
  return std::span<const double>(impl_->means).subspan(series * channels, channels);
}

std::span<const double> SeriesDataset::deviations(uint64_t series) const {
  const uint64_t channels = impl_->description.channels.size();
  return std::span<const double>(impl_->deviations).subspan(series * channels, channels);
}

std::span<const float> SeriesDataset::statics(uint64_t series) const {
  const uint64_t count = impl_->description.statics.size();
  return std::span<const float>(impl_->statics).subspan(series * count, count);
}

void SeriesDataset::ReadRows(uint64_t first_row, std::span<float> out) const {
  const uint64_t width = impl_->width;
  const uint64_t count = out.size() / width;
  if (out.size() % width != 0 || first_row > row_count() || count > row_count() - first_row) {
    throw std::out_of_range(fmt::format("{} values from row {} of {}: there are {} rows of {}",
                                        out.size(), first_row, impl_->path.string(), row_count(),
                                        width));
  }
  float* next = out.data();
  for (uint64_t row = first_row; row < first_row + count;) {
    const std::span<const char> piece = impl_->values.Piece(row / impl_->piece_rows);
    const uint64_t skipped = row % impl_->piece_rows;
    const uint64_t now = std::min(impl_->piece_rows - skipped, first_row + count - row);
    std::memcpy(next, piece.data() + skipped * width * sizeof(float), now * width * sizeof(float));
    next += now * width;
    row += now;
  }
}

void SeriesDataset::Prefetch(uint64_t first_row, uint64_t rows) const {
  for (uint64_t row = first_row; row < first_row + rows;) {
    const uint64_t skipped = row % impl_->piece_rows;
    const uint64_t now = std::min(impl_->piece_rows - skipped, first_row + rows - row);
    impl_->values.Prefetch(row / impl_->piece_rows, skipped, now);
    row += now;
  }
}

SourceList SeriesDataset::ReadSources(uint64_t most) const {
  return io::ReadSources(impl_->reader, kSeriesSourceUnit, most);
}

}  // namespace lockstep::io
