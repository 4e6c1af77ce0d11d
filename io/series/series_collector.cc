#include "io/series/series_collector.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "io/errors.h"
#include "io/series/array_rows.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kFillBlockRows = 4096;

}  // namespace

uint64_t SeriesNames::Find(std::string_view name) {
  // In tables sorted by time the series follow each other in the same order.
  const uint64_t next = last_ + 1 < names_.size() ? last_ + 1 : 0;
  if (next < names_.size() && names_[next] == name) return last_ = next;
  const auto known = indices_.find(name);
  if (known != indices_.end()) return last_ = known->second;
  last_ = names_.size();
  names_.emplace_back(name);
  indices_.emplace(names_.back(), last_);
  return last_;
}

uint64_t SeriesCollector::IndexOf(const TableRow& row) {
  const uint64_t index = names_.IndexOf(row.series);
  if (index == states_.size()) {
    states_.emplace_back();
    statics_.insert(statics_.end(), row.statics.begin(), row.statics.end());
  }
  return index;
}

template <typename Rows>
void SeriesCollector::Take(const Rows& rows) {
  const TableRow& row = rows.row();
  const uint64_t index = IndexOf(row);
  StepTo(rows, index);
  if (missing_ == MissingMode::kError) RefuseMissing(rows, index);
  if (schema_.statics > 0) TakeStatics(rows, index);
  // Only with known covariates can rows without values be of use: as future ones.
  State& state = states_[index];
  state.missing_since += row.missing_values;
  if (row.has_value() || schema_.known == 0) {
    state.value_rows = state.clock.rows();
    state.missing_values += std::exchange(state.missing_since, 0);
  }
  if (spill_ != nullptr) spill_->Add(index, row.values);
}

template <typename Rows>
void SeriesCollector::StepTo(const Rows& rows, uint64_t index) {
  State& state = states_[index];
  const int64_t time = rows.row().time;
  uint64_t missing_rows = 0;
  const SeriesClock::Step step = state.clock.StepTo(time, schema_.frequency, &missing_rows);
  if (step != SeriesClock::Step::kNext) {
    if (step != SeriesClock::Step::kGap || missing_ == MissingMode::kError) {
      rows.FailForTime(state.clock.Expected(step, schema_.frequency));
    }
    AddMissing(index, missing_rows);
    state.missing_rows += missing_rows;
    state.missing_since += missing_rows * schema_.channels;
  }
  state.clock.Take(time, missing_rows);
}

void SeriesCollector::AddMissing(uint64_t index, uint64_t count) {
  if (spill_ == nullptr) return;
  const uint64_t width = schema_.row_width();
  const std::vector<float> none(std::min(count, kFillBlockRows) * width,
                                std::numeric_limits<float>::quiet_NaN());
  while (count > 0) {
    const uint64_t now = std::min(count, kFillBlockRows);
    spill_->Add(index, std::span(none).first(now * width));
    count -= now;
  }
}

template <typename Rows>
void SeriesCollector::RefuseMissing(const Rows& rows, uint64_t index) {
  const TableRow& row = rows.row();
  if (row.missing_covariates > 0) rows.RequireWhole(false);
  if (row.has_value() && !pending_.empty()) {
    const auto pending = pending_.find(index);
    if (pending != pending_.end()) throw InputError(pending->second);
  }
  if (row.missing_values == 0) return;
  if (row.has_value() || schema_.known == 0) rows.RequireWhole(true);
  if (pending_.contains(index)) return;
  try {
    rows.RequireWhole(true);
  } catch (const InputError& error) {
    pending_[index] = error.what();
  }
}

template <typename Rows>
void SeriesCollector::TakeStatics(const Rows& rows, uint64_t index) {
  const std::span<const float> given = rows.row().statics;
  for (size_t i = 0; i < given.size(); ++i) {
    float& known = statics_[index * given.size() + i];
    if (std::isnan(given[i]) || given[i] == known) continue;
    if (std::isnan(known)) {
      known = given[i];
    } else {
      rows.FailForStatic(i, names_[index]);
    }
  }
}

void SeriesCollector::RequireRows(const std::string& name) const {
  if (names_.size() == 0) throw InputError(name + " has no rows, expected some.");
}

template void SeriesCollector::Take(const TableRows& rows);
template void SeriesCollector::Take(const ArrayRows& rows);

}  // namespace lockstep::io
