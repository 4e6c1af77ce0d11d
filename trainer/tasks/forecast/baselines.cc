#include "trainer/tasks/forecast/baselines.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace lockstep::trainer {
namespace {

void RequireRows(size_t size, int64_t columns) {
  if (columns < 1 || static_cast<int64_t>(size) % columns != 0) {
    throw std::invalid_argument("baselines: the values are not whole rows");
  }
}

// Of each column; 0 where there is none.
std::vector<float> LastObserved(std::span<const float> history, int64_t columns) {
  std::vector<float> last(columns, 0.0f);
  for (size_t i = 0; i < history.size(); ++i) {
    if (!std::isnan(history[i])) last[static_cast<int64_t>(i) % columns] = history[i];
  }
  return last;
}

}  // namespace

void SeasonalNaiveForecast(std::span<const float> history, int64_t columns, int64_t season,
                           std::span<float> forecast) {
  RequireRows(history.size(), columns);
  RequireRows(forecast.size(), columns);
  if (season < 1) throw std::invalid_argument("baselines: a season has at least one row");
  const int64_t past = static_cast<int64_t>(history.size()) / columns;
  const int64_t horizon = static_cast<int64_t>(forecast.size()) / columns;
  const std::vector<float> last = LastObserved(history, columns);
  for (int64_t h = 0; h < horizon; ++h) {
    const int64_t latest = past - season + h % season;
    for (int64_t column = 0; column < columns; ++column) {
      int64_t row = latest;
      while (row >= 0 && std::isnan(history[row * columns + column])) row -= season;
      forecast[h * columns + column] = row >= 0 ? history[row * columns + column] : last[column];
    }
  }
}

void PersistenceForecast(std::span<const float> history, int64_t columns,
                         std::span<float> forecast) {
  SeasonalNaiveForecast(history, columns, 1, forecast);
}

SeasonalNaiveError::SeasonalNaiveError(int64_t channels, int64_t season)
    : channels_(channels), season_(season) {
  if (channels < 1 || season < 1) {
    throw std::invalid_argument("baselines: channels and season must be at least 1");
  }
  last_.assign(channels * season, std::numeric_limits<float>::quiet_NaN());
  seasonal_.resize(channels);
  neighbouring_.resize(channels);
}

void SeasonalNaiveError::Add(std::span<const float> rows) {
  RequireRows(rows.size(), channels_);
  const auto add = [](Sum& sum, float value, float earlier) {
    if (std::isnan(value) || std::isnan(earlier)) return;
    sum.absolute += std::abs(static_cast<double>(value) - earlier);
    ++sum.pairs;
  };
  // Rows before the first are NaN in last_ and count for nothing.
  for (size_t at = 0; at < rows.size(); at += channels_, ++rows_) {
    float* here = last_.data() + rows_ % season_ * channels_;
    const float* previous = last_.data() + (rows_ + season_ - 1) % season_ * channels_;
    for (int64_t c = 0; c < channels_; ++c) {
      const float value = rows[at + c];
      add(neighbouring_[c], value, previous[c]);
      add(seasonal_[c], value, here[c]);
      here[c] = value;
    }
  }
}

double SeasonalNaiveError::Mean(int64_t channel) const {
  const Sum& sum = seasonal_[channel].pairs > 0 ? seasonal_[channel] : neighbouring_[channel];
  if (sum.pairs == 0) return std::numeric_limits<double>::quiet_NaN();
  return sum.absolute / static_cast<double>(sum.pairs);
}

int64_t DefaultSeason(int64_t step_seconds, int64_t step_months) {
  constexpr int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour, kWeek = 7 * kDay;
  constexpr struct {
    int64_t unit, season;
  } kSeasons[] = {{kWeek, 52}, {kDay, 7}, {kHour, 24}, {kMinute, 1440}};
  const auto divided = [](int64_t season, int64_t step) {
    return season % step == 0 ? season / step : 1;
  };
  if (step_months > 0) return divided(12, step_months);
  if (step_seconds <= 0) return 1;
  for (const auto& [unit, season] : kSeasons) {
    if (step_seconds % unit == 0) return divided(season, step_seconds / unit);
  }
  return 1;
}

}  // namespace lockstep::trainer
