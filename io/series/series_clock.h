#ifndef LOCKSTEP_IO_SERIES_SERIES_CLOCK_H_
#define LOCKSTEP_IO_SERIES_SERIES_CLOCK_H_

#include <cstdint>
#include <string>

#include "io/series/frequency.h"

namespace lockstep::io {

/// The times of one series, row by row.
class SeriesClock {
 public:
  enum class Step {
    kNext,      ///< the first row, or the row behind the last one
    kGap,       ///< rows are missing between the last one and this one
    kFar,       ///< so many that the time must be wrong
    kNotLater,  ///< the same time again, or an earlier one
    kBetween,   ///< no row stands at this time
  };

  /// What a row at `time` would be. With no frequency each row is the next one.
  Step StepTo(int64_t time, const Frequency& frequency, uint64_t* missing_rows) const {
    *missing_rows = 0;
    if (rows_ == 0 || frequency.none() || time == last_time_ + frequency.seconds) {
      // Months have 0 seconds, and no row may come twice.
      if (rows_ == 0 || frequency.months == 0) return Step::kNext;
    }
    return StepFar(time, frequency, missing_rows);
  }

  /// Takes a row at `time`, which is kNext or, behind `missing_rows`, kGap.
  void Take(int64_t time, uint64_t missing_rows) {
    if (rows_ == 0) start_ = time;
    last_time_ = time;
    rows_ += missing_rows + 1;
  }

  int64_t start() const { return start_; }
  int64_t last_time() const { return last_time_; }
  uint64_t rows() const { return rows_; }  ///< with the missing ones

  /// What was expected instead of a row that is not kNext, for messages.
  std::string Expected(Step step, const Frequency& frequency) const;

 private:
  Step StepFar(int64_t time, const Frequency& frequency, uint64_t* missing_rows) const;

  int64_t start_ = 0;
  int64_t last_time_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_SERIES_CLOCK_H_
