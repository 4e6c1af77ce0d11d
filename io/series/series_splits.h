#ifndef LOCKSTEP_IO_SERIES_SERIES_SPLITS_H_
#define LOCKSTEP_IO_SERIES_SERIES_SPLITS_H_

#include <cstdint>
#include <vector>

#include "io/datasets/series_dataset.h"
#include "io/series/series_import.h"

namespace lockstep::io {

/// How each series is cut into training, validation and test.
class SeriesSplits {
 public:
  /// InputError when the options say it in two ways or in one that makes no sense.
  SeriesSplits(const SeriesImportOptions& options, const Frequency& frequency);

  /// Sets the bounds of a series whose rows and start are known. InputError, naming the series,
  /// when it has too few rows.
  void Cut(Series* series);

  /// InputError that names a split that was asked for and has no rows, over all series that were
  /// cut.
  void RequireRows() const;

 private:
  std::vector<double> shares_;
  std::vector<uint64_t> counts_;
  std::vector<int64_t> times_;
  Frequency frequency_;
  uint64_t series_ = 0;
  uint64_t rows_[3] = {0, 0, 0};
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_SERIES_SPLITS_H_
