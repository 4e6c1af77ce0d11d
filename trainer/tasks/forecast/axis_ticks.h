#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_AXIS_TICKS_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_AXIS_TICKS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::trainer {

/// A mark on an axis of a picture. Labels are UTF-8 text.
struct Tick {
  double at = 0.0;
  std::string label;
  std::string below;  ///< second line: the date or year where it begins or changes; else empty
};

struct NumberAxis {
  std::vector<Tick> ticks;
  std::string factor;  ///< "×10⁹" where the labels are to be multiplied by it; else empty
};

/// Round numbers (1, 2 or 5 times a power of ten apart, at least `least_step`) from low to high,
/// about `most` of them or fewer; labels all have the same number of decimals, with thousands
/// separated: 1,500. Requires low < high, by more than a billionth of their size, which lies within
/// 1e-290 and 1e300; most >= 1.
NumberAxis NumberTicks(double low, double high, int most, double least_step = 0.0);

/// Round times from `first` to `last`, seconds since 1970-01-01T00:00:00Z (years -32767 to 32767),
/// about `most` of them or fewer: "14:00" over "24 Oct 2017", "24 Oct" over "2017", "Oct" over
/// "2017", or "2017". UTC. No closer than the rows, `row_seconds` apart; weeks begin on Mondays,
/// but on the day of the first row where rows are weeks apart. Requires first <= last, most >= 1.
std::vector<Tick> TimeTicks(int64_t first, int64_t last, int most, int64_t row_seconds = 1);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_AXIS_TICKS_H_
