#include "io/series/table_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/series/number_text.h"
#include "io/series/time_text.h"
#include "io/text/printable.h"

namespace lockstep::io {
namespace {

constexpr size_t kMostQuoted = 40;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

}  // namespace

std::string Quoted(std::string_view cell) {
  const bool cut = cell.size() > kMostQuoted;
  std::string text = "'";
  for (const char c : cell.substr(0, kMostQuoted)) {
    if (static_cast<unsigned char>(c) < 32) {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      text += c;
    }
  }
  return Printable(text + (cut ? "...'" : "'"));
}

TableRows::TableRows(CsvReader* table, TableSchema* schema)
    : table_(table), schema_(schema), values_(schema->row_width()), statics_(schema->statics) {
  for (size_t i = 0; i < schema->columns.size(); ++i) {
    if (schema->columns[i].role != ColumnRole::kIgnored) used_.push_back(i);
  }
  row_.values = values_;
  row_.statics = statics_;
  row_.channels = schema->channels;
}

bool TableRows::Next() {
  if (!table_->Next()) return false;
  const std::span<const std::string_view> cells = table_->cells();
  if (cells.size() != schema_->columns.size()) {
    throw InputError(fmt::format(
        "{}, line {}, column {}: found {} cells, expected {}, as many as the first line has.",
        table_->name(), table_->line(), std::min(cells.size(), schema_->columns.size()) + 1,
        cells.size(), schema_->columns.size()));
  }
  row_.missing_values = 0;
  row_.missing_covariates = 0;
  for (const size_t column : used_) ReadCell(&schema_->columns[column], Trimmed(cells[column]));
  return true;
}

inline void TableRows::ReadCell(TableSchema::Column* column, std::string_view cell) {
  switch (column->role) {
    case ColumnRole::kValue: {
      float* value = &values_[column->place];
      const CellKind kind = ParseNumber(cell, schema_->decimal_point, value);
      if (kind == CellKind::kNumber) return;
      if (kind == CellKind::kOther) {
        Fail(*column, ParseTime(cell) ? "a number (a time column is named with --time)"
                                      : "a number (a column that names the series is named with "
                                        "--series; --values names those to forecast)");
      }
      *value = kMissing;
      ++row_.missing_values;
      return;
    }
    case ColumnRole::kTime: {
      const std::optional<int64_t> time = ParseTime(cell);
      if (!time) Fail(*column, "a time as 2016-07-01 00:00:00, or whole seconds since 1970");
      row_.time = *time;
      return;
    }
    case ColumnRole::kSeries:
      row_.series = cell;
      if (cell.empty()) Fail(*column, "the name of a series");
      if (!IsUtf8(cell)) Fail(*column, "text in UTF-8");
      return;
    case ColumnRole::kKnown:
      return ReadCovariate(column, cell, &values_[schema_->channels + column->place]);
    case ColumnRole::kStatic:
      return ReadCovariate(column, cell, &statics_[column->place]);
    case ColumnRole::kIgnored:
      return;
  }
}

void TableRows::ReadCovariate(TableSchema::Column* column, std::string_view cell, float* value) {
  CellKind kind = CellKind::kMissing;
  if (!column->categorical) {
    kind = ParseNumber(cell, schema_->decimal_point, value);
    if (kind == CellKind::kOther) Fail(*column, "a number, as in the rows before");
  } else if (!cell.empty()) {
    kind = CellKind::kNumber;
    const size_t count = column->categories.names().size();
    const uint32_t category = column->categories.IndexOf(cell);
    if (category >= count && !IsUtf8(cell)) Fail(*column, "text in UTF-8");
    if (column->closed && category >= count) Fail(*column, "a category that the training had");
    *value = static_cast<float>(category);
  }
  if (kind == CellKind::kNumber) return;
  *value = kMissing;
  ++row_.missing_covariates;
}

void TableRows::RequireWhole(bool values_too) const {
  for (const size_t place : used_) {
    const TableSchema::Column& column = schema_->columns[place];
    const bool covariate = column.role == ColumnRole::kKnown || column.role == ColumnRole::kStatic;
    const bool value = column.role == ColumnRole::kValue && values_too;
    if (!covariate && !value) continue;
    const float number = column.role == ColumnRole::kStatic ? statics_[column.place]
                         : value                            ? values_[column.place]
                                 : values_[schema_->channels + column.place];
    if (std::isnan(number)) {
      Fail(column,
           "a value. Say what shall stand in for missing ones with --missing forward, interpolate "
           "or mask");
    }
  }
}

void TableRows::FailForTime(std::string_view expected) const {
  for (const size_t place : used_) {
    if (schema_->columns[place].role == ColumnRole::kTime) Fail(schema_->columns[place], expected);
  }
  throw InputError(fmt::format("{}: expected {}.", Place(), expected));
}

void TableRows::FailForStatic(size_t place, std::string_view series) const {
  for (const size_t i : used_) {
    const TableSchema::Column& column = schema_->columns[i];
    if (column.role != ColumnRole::kStatic || column.place != place) continue;
    Fail(column, fmt::format("the value in the rows before of series {}: it is static. Give it as "
                             "--known, or leave it out",
                             Quoted(series)));
  }
  throw InputError(Place());
}

std::string TableRows::Place() const {
  return fmt::format("{}, line {}", table_->name(), table_->line());
}

void TableRows::Fail(const TableSchema::Column& column, std::string_view expected) const {
  const size_t place = static_cast<size_t>(&column - schema_->columns.data());
  const std::string_view cell = Trimmed(table_->cells()[place]);
  throw InputError(fmt::format("{}, column {} ({}): found {}, expected {}.", Place(), place + 1,
                               column.name, cell.empty() ? "nothing" : Quoted(cell), expected));
}

}  // namespace lockstep::io
