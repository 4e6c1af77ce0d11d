#include "io/series/table_schema.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/errors.h"
#include "io/series/number_text.h"
#include "io/series/table_rows.h"
#include "io/series/time_text.h"
#include "io/text/printable.h"

namespace lockstep::io {
namespace {

using Columns = std::vector<TableSchema::Column>;

constexpr std::string_view kRoleNames[] = {"ignored", "time", "series", "value", "known", "static"};
constexpr std::string_view kTimeNames[] = {"date",      "time", "datetime",     "dateandtime",
                                           "timestamp", "ds",   "utctimestamp", "utctime"};

// The name without what people put between its words.
std::string Plain(std::string_view name) {
  std::string plain;
  for (const unsigned char c : name) {
    if (std::isalnum(c)) plain += static_cast<char>(std::tolower(c));
  }
  return plain;
}

Columns ReadNames(CsvReader* table) {
  if (!table->Next()) {
    throw InputError(fmt::format(
        "{} is empty, expected a first line with the names of the columns.", table->name()));
  }
  Columns columns;
  bool all_numbers = true;
  std::map<std::string_view, size_t> places;
  for (const std::string_view cell : table->cells()) {
    const std::string_view name = Trimmed(cell);
    float number = 0;
    all_numbers = all_numbers && ParseNumber(name, '.', &number) == CellKind::kNumber;
    if (!IsUtf8(name)) {
      throw InputError(fmt::format("{}, line {}, column {}: found {}, expected text in UTF-8.",
                                   table->name(), table->line(), columns.size() + 1, Quoted(name)));
    }
    columns.push_back({std::string(name)});
    const auto [other, is_new] = places.try_emplace(name, columns.size());
    if (!is_new && !name.empty()) {
      throw InputError(
          fmt::format("{}, line {}, column {}: found {}, the name of column {}, too; "
                      "expected another name for each column.",
                      table->name(), table->line(), columns.size(), Quoted(name), other->second));
    }
  }
  if (all_numbers) {
    throw InputError(
        fmt::format("{}, line {}, column 1: found {}, expected the name of a column: the first "
                    "line names them.",
                    table->name(), table->line(), Quoted(columns[0].name)));
  }
  return columns;
}

// Gives the columns of these names a role.
void Assign(const CsvReader& table, const std::vector<std::string>& names, ColumnRole role,
            Columns* columns) {
  size_t place = 0;
  for (const std::string& name : names) {
    const auto column = std::ranges::find(*columns, name, &TableSchema::Column::name);
    if (column == columns->end()) {
      std::vector<std::string> known;
      for (const TableSchema::Column& each : *columns) known.push_back(Quoted(each.name));
      if (known.size() > 30) known.resize(30);
      throw InputError(fmt::format(
          "{}, line {}: found no column {} (to be {}), expected one of the columns there are: {}.",
          table.name(), table.line(), Quoted(name), kRoleNames[static_cast<size_t>(role)],
          fmt::join(known, ", ")));
    }
    if (column->role != ColumnRole::kIgnored) {
      throw InputError(fmt::format("{}, line {}, column {}: {} is to be {} and {}; it can be one.",
                                   table.name(), table.line(), column - columns->begin() + 1,
                                   Quoted(name), ColumnRoleName(column->role),
                                   ColumnRoleName(role)));
    }
    column->role = role;
    column->place = place++;
  }
}

// The column that is the time by its name and its first cell; the step behind the first line is
// taken back.
void FindTime(CsvReader* table, Columns* columns) {
  if (!table->NextInFirstBlock()) return;
  const auto cells = table->cells();
  for (size_t i = 0; i < std::min(columns->size(), cells.size()); ++i) {
    TableSchema::Column& column = (*columns)[i];
    const std::string_view cell = Trimmed(cells[i]);
    const bool named =
        std::ranges::count(kTimeNames, Plain(column.name)) > 0 || cell.find('-', 1) != cell.npos;
    if (column.role == ColumnRole::kIgnored && named && ParseTime(cell)) {
      column.role = ColumnRole::kTime;
      break;
    }
  }
  table->Rewind();
  table->Next();
}

void AssignAll(CsvReader* table, const SeriesImportOptions& options, Columns* columns) {
  if (!options.series.empty()) Assign(*table, {options.series}, ColumnRole::kSeries, columns);
  if (options.time && !options.time->empty()) {
    Assign(*table, {*options.time}, ColumnRole::kTime, columns);
  }
  Assign(*table, options.known, ColumnRole::kKnown, columns);
  Assign(*table, options.statics, ColumnRole::kStatic, columns);
  Assign(*table, options.values, ColumnRole::kValue, columns);
  if (!options.time) FindTime(table, columns);
  if (!options.values.empty()) return;
  std::vector<std::string> rest;
  size_t place = 0;
  for (TableSchema::Column& column : *columns) {
    if (column.role != ColumnRole::kIgnored) continue;
    column.role = ColumnRole::kValue;
    column.place = place++;
  }
  if (place == 0) {
    throw InputError(fmt::format(
        "{}, line {}: found no column of values, expected one beside time, series and covariates.",
        table->name(), table->line()));
  }
}

std::vector<std::string> NamesOf(const std::vector<SeriesCovariate>& covariates) {
  std::vector<std::string> names;
  for (const SeriesCovariate& covariate : covariates) names.push_back(covariate.name);
  return names;
}

// With what `like` says where the options say nothing.
SeriesImportOptions Completed(SeriesImportOptions options) {
  if (!options.like) return options;
  const SeriesDescription& like = *options.like;
  if (!options.time) options.time = like.time;
  if (options.values.empty()) options.values = like.channels;
  if (options.known.empty()) options.known = NamesOf(like.known);
  if (options.statics.empty()) options.statics = NamesOf(like.statics);
  if (options.frequency == "auto") options.frequency = FrequencyText(like.frequency);
  return options;
}

// Gives the columns of a role the kinds and categories that they have in another dataset.
void CloseCategories(const std::vector<SeriesCovariate>& covariates, ColumnRole role,
                     Columns* columns) {
  for (TableSchema::Column& column : *columns) {
    const auto known = std::ranges::find(covariates, column.name, &SeriesCovariate::name);
    if (column.role != role || known == covariates.end()) continue;
    const std::vector<std::string>& categories = known->categories;
    column.closed = true;
    column.categorical = !categories.empty();
    for (const std::string& category : categories) column.categories.IndexOf(category);
  }
}

void Count(TableSchema* schema) {
  for (const TableSchema::Column& column : schema->columns) {
    schema->has_time = schema->has_time || column.role == ColumnRole::kTime;
    schema->has_series = schema->has_series || column.role == ColumnRole::kSeries;
    schema->channels += column.role == ColumnRole::kValue;
    schema->known += column.role == ColumnRole::kKnown;
    schema->statics += column.role == ColumnRole::kStatic;
  }
}

// What the rows of the first block show.
class Sample {
 public:
  explicit Sample(TableSchema* schema) : schema_(*schema) {}

  void AddFirstBlock(CsvReader* table) {
    try {
      while (table->NextInFirstBlock()) Add(table->cells());
    } catch (const InputError&) {
      has_bad_rows_ = true;
    }
  }

  // The step that is most common, the smaller one of two.
  std::optional<Frequency> MostCommonStep() const {
    const auto most =
        std::ranges::max_element(steps_, {}, [](const auto& step) { return step.second; });
    if (most == steps_.end()) return std::nullopt;
    return Frequency{most->first.second, most->first.first};
  }

  // Rows that the import will end at.
  bool has_bad_rows() const { return has_bad_rows_; }

 private:
  void Add(std::span<const std::string_view> cells) {
    if (cells.size() != schema_.columns.size()) {
      has_bad_rows_ = true;
      return;
    }
    std::string_view series;
    std::optional<int64_t> time;
    for (size_t i = 0; i < cells.size(); ++i) {
      TableSchema::Column& column = schema_.columns[i];
      const std::string_view cell = Trimmed(cells[i]);
      float number = 0;
      if (column.role == ColumnRole::kTime) time = ParseTime(cell);
      if (column.role == ColumnRole::kSeries) series = cell;
      if (column.role != ColumnRole::kKnown && column.role != ColumnRole::kStatic) continue;
      if (column.closed) continue;
      column.categorical = column.categorical ||
                           ParseNumber(cell, schema_.decimal_point, &number) == CellKind::kOther;
    }
    if (!time || (schema_.has_series && series.empty())) {
      has_bad_rows_ = true;
      return;
    }
    const auto [last, is_new] = last_.try_emplace(std::string(series), *time);
    if (!is_new && last->second < *time) {
      const Frequency step = FrequencyOf(last->second, *time);
      ++steps_[{step.months, step.seconds}];
    }
    last->second = *time;
  }

  TableSchema& schema_;
  bool has_bad_rows_ = false;
  std::unordered_map<std::string, int64_t> last_;
  std::map<std::pair<int64_t, int64_t>, uint64_t> steps_;  // months and seconds
};

Frequency ChosenFrequency(const CsvReader& table, const TableSchema& schema, const Sample& sample,
                          const std::string& chosen) {
  if (chosen == "auto") {
    if (!schema.has_time) return {};
    const std::optional<Frequency> found = sample.MostCommonStep();
    if (found) return *found;
    if (sample.has_bad_rows()) return {1, 0};
    throw InputError(fmt::format(
        "{}: found no two rows of one series with a later time in the first {} lines, so that the "
        "frequency cannot be told. Name it, as in --frequency 1h.",
        table.name(), table.line()));
  }
  const std::optional<Frequency> frequency = FrequencyFromText(chosen);
  if (!frequency) {
    throw InputError(
        fmt::format("the frequency is {}, expected auto or a number with s, min, h, d, w, mo or y, "
                    "as in 15min.",
                    Quoted(chosen)));
  }
  if (frequency->none() == schema.has_time) {
    throw InputError(fmt::format(
        "{}: the frequency is {}, but there is {} time column. {}", table.name(), chosen,
        schema.has_time ? "a" : "no",
        schema.has_time ? "Name the frequency or leave it to auto." : "Name one with --time."));
  }
  return *frequency;
}

}  // namespace

std::string_view ColumnRoleName(ColumnRole role) { return kRoleNames[static_cast<size_t>(role)]; }

uint32_t CategoryIndex::IndexOf(std::string_view name) {
  if (last_ < names_.size() && names_[last_] == name) return last_;
  const auto [place, is_new] =
      indices_.try_emplace(std::string(name), static_cast<uint32_t>(names_.size()));
  if (is_new) names_.emplace_back(name);
  return last_ = place->second;
}

std::vector<SeriesCovariate> TableSchema::Covariates(ColumnRole role) const {
  std::vector<SeriesCovariate> covariates;
  for (const Column& column : columns) {
    if (column.role != role) continue;
    if (covariates.size() <= column.place) covariates.resize(column.place + 1);
    covariates[column.place] = {column.name, column.categories.names()};
  }
  return covariates;
}

TableSchema FindSchema(CsvReader* table, const SeriesImportOptions& given) {
  const SeriesImportOptions options = Completed(given);
  TableSchema schema;
  schema.decimal_point = options.decimal_comma ? ',' : '.';
  schema.columns = ReadNames(table);
  AssignAll(table, options, &schema.columns);
  Count(&schema);
  if (options.like) {
    CloseCategories(options.like->known, ColumnRole::kKnown, &schema.columns);
    CloseCategories(options.like->statics, ColumnRole::kStatic, &schema.columns);
  }
  Sample sample(&schema);
  sample.AddFirstBlock(table);
  schema.frequency = ChosenFrequency(*table, schema, sample, options.frequency);
  table->Rewind();
  table->Next();
  return schema;
}

void RequireSameColumns(CsvReader* table, const TableSchema& schema) {
  const Columns columns = ReadNames(table);
  for (size_t i = 0; i < std::max(columns.size(), schema.columns.size()); ++i) {
    const std::string found = i < columns.size() ? Quoted(columns[i].name) : "no more column";
    const std::string expected =
        i < schema.columns.size() ? Quoted(schema.columns[i].name) : "no more column";
    if (found == expected) continue;
    throw InputError(
        fmt::format("{}, line {}, column {}: found {}, expected {}, as in the first file.",
                    table->name(), table->line(), i + 1, found, expected));
  }
}

}  // namespace lockstep::io
