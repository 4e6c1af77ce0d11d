#ifndef LOCKSTEP_IO_DATASETS_SERIES_DATASET_H_
#define LOCKSTEP_IO_DATASETS_SERIES_DATASET_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/datasets/stored_sources.h"
#include "io/series/frequency.h"

namespace lockstep::io {

/// A column beside the values: known in advance (one value a row, in future rows, too) or static
/// (one value a series).
struct SeriesCovariate {
  std::string name;
  /// A value is an index of these; numeric where this is empty.
  std::vector<std::string> categories;
};

/// What an import does where a value or a row is missing.
enum class MissingMode {
  kError,        ///< nothing is missing
  kForward,      ///< the value before stands in; the first one of the series where there is none
  kInterpolate,  ///< a line between the values before and behind; at the ends as kForward
  kMask,         ///< NaN in the dataset
};
std::string_view MissingModeName(MissingMode mode);  ///< "error", "forward", ...
std::optional<MissingMode> MissingModeFromName(std::string_view name);

/// What all series of a dataset have in common.
struct SeriesDescription {
  std::vector<std::string> channels;     ///< names of the values' columns; C of them
  std::vector<SeriesCovariate> known;    ///< K
  std::vector<SeriesCovariate> statics;  ///< A
  std::string time;                      ///< the time column's name; empty: there was none
  Frequency frequency;                   ///< none: the rows are only numbered
  MissingMode missing = MissingMode::kError;
  bool scaled = true;  ///< means and deviations are learnt; otherwise they are 0 and 1

  /// Values of a row: C + K.
  uint64_t row_width() const { return channels.size() + known.size(); }
};

/// One series. Its rows are numbered from 0; row n stands at TimeAt(start, frequency, n).
struct Series {
  std::string id;  ///< empty when there is no series column
  /// Where its rows begin among the rows of all series, which lie one behind the other.
  uint64_t first_row = 0;
  uint64_t rows = 0;  ///< with values
  /// Behind `rows`: the known covariates are given, all values are NaN.
  uint64_t future_rows = 0;
  int64_t start = 0;  ///< of row 0, seconds since 1970 UTC; 0 without a time column
  /// The splits, in rows: training is [begin, train_end), validation [train_end, validation_end),
  /// test [validation_end, test_end), each may be empty; test_end <= rows. A window belongs to the
  /// split that its targets lie in.
  uint64_t begin = 0;
  uint64_t train_end = 0;
  uint64_t validation_end = 0;
  uint64_t test_end = 0;
};

/// A dataset of series, open for reading. Movable; one thread at a time. Not collective: every rank
/// opens the file itself. Layout: io/FORMATS.md.
class SeriesDataset {
 public:
  static constexpr uint64_t kDefaultCacheBytes = uint64_t{1} << 30;

  /// Opens and checks format, version, length and seal (not the digest of the whole: see VerifyFile
  /// in io/files/seal.h). Up to `cache_bytes` of rows stay in memory once they were read (and a
  /// block of 64 kB or one row at least). InputError when missing or of another format;
  /// DamagedFileError when truncated or damaged.
  static SeriesDataset Open(const std::filesystem::path& path,
                            uint64_t cache_bytes = kDefaultCacheBytes);
  SeriesDataset(SeriesDataset&&) noexcept;
  SeriesDataset& operator=(SeriesDataset&&) noexcept;
  ~SeriesDataset();

  const std::filesystem::path& path() const;
  /// Hex digest of what a training sees: values, covariates, times, splits, scaling, names.
  /// Independent of paths.
  const std::string& fingerprint() const;
  const SeriesDescription& description() const;

  uint64_t series_count() const;
  const Series& series(uint64_t index) const;
  /// Rows of all series, future rows included.
  uint64_t row_count() const;

  /// Of one series, [C]: of the values of its training rows (population deviation); deviation 1 for
  /// a channel that is constant there or has no value. 0 and 1 where description().scaled is false.
  std::span<const double> means(uint64_t series) const;
  std::span<const double> deviations(uint64_t series) const;
  /// Of one series, [A]: numbers or indices of categories.
  std::span<const float> statics(uint64_t series) const;

  /// Rows [first_row, first_row + out.size() / row_width()) of all rows: [rows, C + K], row-major,
  /// in the units of the source, missing values NaN, categories as their index. Requires whole rows
  /// inside row_count() (std::out_of_range). DamagedFileError when a checksum does not hold;
  /// SystemError on I/O errors.
  void ReadRows(uint64_t first_row, std::span<float> out) const;
  /// These rows will be read soon: while others are read, the processor may fetch them from memory.
  /// Requires rows inside row_count().
  void Prefetch(uint64_t first_row, uint64_t rows) const;

  /// The sources: how many there are, and the first `most` of them, after all are checked in
  /// pieces. DamagedFileError.
  SourceList ReadSources(uint64_t most) const;

 private:
  struct Impl;
  explicit SeriesDataset(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Writes a dataset of series in one pass with bounded memory (some hundred bytes a series).
/// Everything goes to a new name in the output's folder; Publish makes it appear. Destroyed without
/// Publish, it removes what it wrote.
class SeriesDatasetWriter {
 public:
  /// InputError when the folder is missing or not writable, or there is no channel.
  SeriesDatasetWriter(const std::filesystem::path& output, SeriesDescription description);
  ~SeriesDatasetWriter();
  SeriesDatasetWriter(const SeriesDatasetWriter&) = delete;
  SeriesDatasetWriter& operator=(const SeriesDatasetWriter&) = delete;

  /// The next series (its first_row is not looked at) with its statics, [A]. The one before must be
  /// complete. std::invalid_argument when bounds or sizes do not fit.
  void StartSeries(const Series& series, std::span<const float> statics = {});
  /// Whole rows of the series, [rows, C + K]; rows + future_rows of them in all. Means and
  /// deviations are learnt here, from the training rows. SystemError on a full disk.
  void Append(std::span<const float> rows);

  /// Writes the rest, verifies, seals, syncs and renames (io/files/publish.h). Returns the
  /// fingerprint. InputError when there are no rows.
  std::string Publish(const std::vector<Source>& sources = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_SERIES_DATASET_H_
