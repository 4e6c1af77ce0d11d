#ifndef LOCKSTEP_IO_SERIES_SERIES_IMPORT_H_
#define LOCKSTEP_IO_SERIES_SERIES_IMPORT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/datasets/series_dataset.h"

namespace lockstep::io {

/// How tables become a dataset of series.
struct SeriesImportOptions {
  /// CSV files, which may be packed by gzip ("-" is the standard input), with the same columns; or
  /// .npy and HDF5 files with an array [time] or [time, channel]. Each file goes on where the one
  /// before ended: in time without a series column, else with any series.
  std::vector<std::filesystem::path> paths;
  /// The dataset; nothing appears under this name until it is whole.
  std::filesystem::path output;

  /// The time column. nullopt: the first column called date, time, datetime, timestamp, ds or the
  /// like whose first cell is a time; empty: there is none, the rows are only numbered. Times are
  /// as ParseTime (io/series/time_text.h) reads them.
  std::optional<std::string> time;
  /// The columns of values. Empty: all that are nothing else.
  std::vector<std::string> values;
  /// The column that names the series of a row; the rows of one series in order of time, series in
  /// any order and mixed. Empty: all rows are of one series.
  std::string series;
  /// Covariates that are given for the future, too: rows behind the last value of a series that
  /// have no value but these become its future rows. One whose cells in the first 4 MB are not all
  /// numbers is categorical, its categories in the order in which they appear.
  std::vector<std::string> known;
  /// Covariates of a series, the same in all its rows; numeric or categorical likewise.
  std::vector<std::string> statics;

  /// Where a model reads new tables: names, covariates with their categories and frequency of the
  /// dataset that it was trained on. Its columns are taken where `time`, `values`, `known` and
  /// `statics` name none, and "auto" is its frequency; a category that it does not have is an
  /// InputError. `series` is still to be named.
  std::optional<SeriesDescription> like;

  /// "auto": the distance most common in the first 4 MB (the smaller one of two); or as
  /// FrequencyFromText reads it.
  std::string frequency = "auto";
  /// Cells that are empty or NaN (NA, N/A, null, None), and rows that are missing in a series'
  /// time. With kMask, too, a known covariate is filled, as by kForward; categories never lie on a
  /// line between two others.
  MissingMode missing = MissingMode::kError;
  bool scale = true;

  /// For each series: shares of its rows, cumulative and rounded down as for text (the last two may
  /// be missing or 0); or counts of rows from its start, the rest left out; or one or two times, at
  /// which validation and test begin. The one that is not empty is taken, shares of 70, 10, 20 when
  /// all are.
  std::vector<double> split_shares;
  std::vector<uint64_t> split_rows;
  std::vector<std::string> split_times;

  /// 0: the most frequent one of , ; tab | in the first line.
  char delimiter = 0;
  /// 1,5 is a number; then the comma does not delimit.
  bool decimal_comma = false;
  /// The path of the array inside HDF5 files; not needed where a file has but one.
  std::string array;

  /// For rows before the disk is used; the result does not depend on it.
  uint64_t memory_bytes = 64 << 20;
};

/// Where an import stands; given to the progress callback about four times a second and at the end.
struct SeriesImportProgress {
  int pass = 1;  ///< 1 reads the tables, 2 writes the series
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;  ///< 0: not known (standard input)
  uint64_t rows = 0;         ///< of this pass
};

struct SeriesImportResult {
  uint64_t files = 0;
  uint64_t bytes = 0;  ///< as they lie on disk
  uint64_t series = 0;
  uint64_t channels = 0;
  uint64_t rows = 0;            ///< with values; filled ones among them
  uint64_t future_rows = 0;     ///< with known covariates only
  uint64_t filled_rows = 0;     ///< that were missing in time
  uint64_t missing_values = 0;  ///< that were filled, or masked
  uint64_t train_rows = 0;
  uint64_t validation_rows = 0;
  uint64_t test_rows = 0;
  uint64_t left_out_rows = 0;  ///< behind --split-rows
  Frequency frequency;
  std::string fingerprint;
};

/// Reads the tables once with bounded memory (and some hundred bytes a series), keeps what memory
/// does not hold in a file in the output's folder, and publishes the dataset atomically. InputError
/// for all that is wrong with the tables, naming file, line, column, what was found and what was
/// expected: a row with more or fewer cells than the first line, text in a column of values, a
/// missing cell or row without `missing`, a time that goes backwards, comes twice or stands between
/// the steps, a column that is not there, a split without rows, a series without rows to learn the
/// scale from. SystemError: full disk, I/O error. After an error nothing is left behind and an
/// older file under the output's name is untouched.
SeriesImportResult ImportSeries(
    const SeriesImportOptions& options,
    const std::function<void(const SeriesImportProgress&)>& progress = {});

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_SERIES_IMPORT_H_
