#include "io/series/array_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/hdf5/h5_foreign.h"
#include "io/series/byte_source.h"
#include "io/series/npy_array.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kBlockNumbers = uint64_t{1} << 17;

}  // namespace

bool IsArrayFile(const std::filesystem::path& path) {
  return path != "-" && (IsNpy(path) || IsHdf5(path));
}

ArrayRows::ArrayRows(const std::filesystem::path& path, const std::string& array)
    : name_(path.string()), bytes_(SourceBytes(path)) {
  const auto take = [this](auto numbers) {
    rows_ = numbers->rows();
    columns_ = numbers->columns();
    read_ = [numbers](uint64_t first, uint64_t count, double* out) {
      numbers->Read(first, count, out);
    };
  };
  if (IsNpy(path)) {
    take(std::make_shared<NpyArray>(path));
  } else {
    take(std::make_shared<ForeignArray>(path, array));
  }
}

TableSchema ArrayRows::FindSchema(const SeriesImportOptions& options) const {
  if ((options.time && !options.time->empty()) || !options.series.empty() ||
      !options.known.empty() || !options.statics.empty() ||
      (options.frequency != "auto" && options.frequency != "none")) {
    throw InputError(fmt::format(
        "{} holds an array, whose rows are only numbered: it has no columns for --time, --series, "
        "--known or --static, and no --frequency.",
        name_));
  }
  TableSchema schema;
  for (uint64_t i = 0; i < columns_; ++i) {
    schema.columns.push_back({.name = fmt::to_string(i)});
    if (options.values.empty()) {
      schema.columns[i].role = ColumnRole::kValue;
      schema.columns[i].place = i;
    }
  }
  for (size_t place = 0; place < options.values.size(); ++place) {
    const auto column =
        std::ranges::find(schema.columns, options.values[place], &TableSchema::Column::name);
    if (column == schema.columns.end() || column->role != ColumnRole::kIgnored) {
      throw InputError(fmt::format("{}: found no column {} (or twice), expected some of 0 to {}.",
                                   name_, Quoted(options.values[place]), columns_ - 1));
    }
    column->role = ColumnRole::kValue;
    column->place = place;
  }
  schema.channels = options.values.empty() ? columns_ : options.values.size();
  if (schema.channels == 0) throw InputError(name_ + ": the array has no columns, expected some.");
  return schema;
}

void ArrayRows::RequireSameColumns(const TableSchema& schema) const {
  if (columns_ == schema.columns.size()) return;
  throw InputError(fmt::format("{}: found {} columns, expected {}, as in the first file.", name_,
                               columns_, schema.columns.size()));
}

void ArrayRows::set_schema(const TableSchema* schema) {
  used_.resize(schema->channels);
  for (size_t i = 0; i < schema->columns.size(); ++i) {
    if (schema->columns[i].role == ColumnRole::kValue) used_[schema->columns[i].place] = i;
  }
  values_.resize(used_.size());
  row_.values = values_;
  row_.channels = used_.size();
}

bool ArrayRows::Next() {
  if (next_ == rows_) return false;
  if (next_ == block_first_ + block_.size() / columns_) {
    const uint64_t most = std::max<uint64_t>(kBlockNumbers / columns_, 1);
    const uint64_t count = std::min(most, rows_ - next_);
    block_.resize(count * columns_);
    read_(next_, count, block_.data());
    block_first_ = next_;
  }
  const double* numbers = &block_[(next_++ - block_first_) * columns_];
  row_.missing_values = 0;
  for (size_t i = 0; i < used_.size(); ++i) {
    values_[i] = static_cast<float>(numbers[used_[i]]);
    row_.missing_values += std::isnan(values_[i]);
    if (std::isinf(values_[i])) Fail(i, fmt::to_string(numbers[used_[i]]));
  }
  return true;
}

void ArrayRows::RequireWhole(bool values_too) const {
  for (size_t i = 0; values_too && i < values_.size(); ++i) {
    if (std::isnan(values_[i])) Fail(i, "NaN");
  }
}

void ArrayRows::Fail(size_t column, std::string_view found) const {
  throw InputError(fmt::format(
      "{}, row {}, column {} (counted from 0): found {}, expected a number{}.", name_, next_ - 1,
      used_[column], found,
      found == "NaN" ? ". Say what shall stand in for missing ones with --missing forward, "
                       "interpolate or mask"
                     : " that float32 holds"));
}

// An array has neither times nor covariates.
void ArrayRows::FailForTime(std::string_view expected) const {
  throw InputError(fmt::format("{}, row {}: expected {}.", name_, next_ - 1, expected));
}

void ArrayRows::FailForStatic(size_t place, std::string_view series) const {
  throw InputError(fmt::format("{}, row {}: series {}.", name_, next_ - 1, series));
}

uint64_t ArrayRows::bytes_read() const {
  const double share = rows_ == 0 ? 1 : static_cast<double>(next_) / static_cast<double>(rows_);
  return static_cast<uint64_t>(static_cast<double>(bytes_) * share);
}

}  // namespace lockstep::io
