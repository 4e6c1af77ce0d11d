#include "io/series/table_inspection.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/series/array_rows.h"
#include "io/series/csv_reader.h"
#include "io/series/series_clock.h"
#include "io/series/series_collector.h"
#include "io/series/table_rows.h"
#include "io/series/table_schema.h"
#include "io/series/time_text.h"
#include "io/text/printable.h"

namespace lockstep::io {
namespace {

using Json = nlohmann::ordered_json;

/// Goes through tables as an import does, but counts what it would end at.
class Inspection {
 public:
  Inspection(TableSchema* schema, MissingMode missing)
      : schema_(*schema), collector_(schema, missing, nullptr) {}

  void Read(CsvReader* table) {
    TableRows rows(table, &schema_);
    for (bool more = true; more;) {
      try {
        more = rows.Next();
        if (more) Take(rows);
      } catch (const InputError& error) {
        // Where a row has no end, there is no next one.
        more = error.what() != last_problem_;
        last_problem_ = error.what();
        bad_rows_ += more;
        if (first_problem_.empty()) first_problem_ = error.what();
      }
    }
  }

  /// Behind the last table; `name` is that of the first.
  void Finish(const std::string& name) {
    if (!first_problem_.empty()) return;
    try {
      collector_.RequireRows(name);
    } catch (const InputError& error) {
      first_problem_ = error.what();
    }
  }

  void Describe(Json* json) const {
    (*json)["first_time"] = TimeOrNull(first_time_);
    (*json)["last_time"] = TimeOrNull(last_time_);
    (*json)["rows"] = rows_;
    (*json)["series"] = clocks_.size();
    (*json)["series_rows"] = Lengths();
    (*json)["missing_values"] = missing_values_;
    (*json)["gaps"] = gaps_;
    (*json)["missing_rows"] = missing_rows_;
    (*json)["duplicates"] = duplicates_;
    (*json)["irregular"] = irregular_;
    (*json)["bad_rows"] = bad_rows_;
    (*json)["first_problem"] =
        first_problem_.empty() ? Json(nullptr) : Json(Printable(first_problem_));
  }

 private:
  void Take(const TableRows& rows) {
    const TableRow& row = rows.row();
    ++rows_;
    missing_values_ += row.missing_values;
    if (schema_.has_time) {
      first_time_ = std::min(first_time_, row.time);
      last_time_ = std::max(last_time_, row.time);
    }
    const uint64_t index = names_.IndexOf(row.series);
    if (index == clocks_.size()) clocks_.emplace_back();
    Step(row.time, &clocks_[index]);
    if (!first_problem_.empty()) return;
    try {
      collector_.Take(rows);
    } catch (const InputError& error) {
      first_problem_ = error.what();
    }
  }

  void Step(int64_t time, SeriesClock* clock) {
    uint64_t missing_rows = 0;
    const SeriesClock::Step step = clock->StepTo(time, schema_.frequency, &missing_rows);
    gaps_ += step == SeriesClock::Step::kGap || step == SeriesClock::Step::kFar;
    missing_rows_ += missing_rows;
    duplicates_ += step == SeriesClock::Step::kNotLater;
    irregular_ += step == SeriesClock::Step::kBetween;
    // A row that stands nowhere is passed over.
    if (step == SeriesClock::Step::kNext || step == SeriesClock::Step::kGap) {
      clock->Take(time, missing_rows);
    }
  }

  Json TimeOrNull(int64_t time) const {
    return schema_.has_time && rows_ > 0 ? Json(TimeText(time)) : Json(nullptr);
  }

  Json Lengths() const {
    std::vector<uint64_t> lengths;
    for (const SeriesClock& clock : clocks_) lengths.push_back(clock.rows());
    std::ranges::sort(lengths);
    if (lengths.empty()) return nullptr;
    return {
        {"min", lengths.front()}, {"median", lengths[lengths.size() / 2]}, {"max", lengths.back()}};
  }

  TableSchema& schema_;
  SeriesCollector collector_;  // which says what an import would say
  SeriesNames names_;
  std::vector<SeriesClock> clocks_;
  std::string first_problem_, last_problem_;
  int64_t first_time_ = std::numeric_limits<int64_t>::max();
  int64_t last_time_ = std::numeric_limits<int64_t>::min();
  uint64_t rows_ = 0;
  uint64_t missing_values_ = 0;
  uint64_t gaps_ = 0;
  uint64_t missing_rows_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t irregular_ = 0;
  uint64_t bad_rows_ = 0;
};

Json Columns(const TableSchema& schema) {
  Json columns = Json::array();
  for (const TableSchema::Column& column : schema.columns) {
    Json json = {{"name", Printable(column.name)}, {"role", ColumnRoleName(column.role)}};
    if (column.role == ColumnRole::kKnown || column.role == ColumnRole::kStatic) {
      json["categorical"] = column.categorical;
    }
    columns.push_back(std::move(json));
  }
  return columns;
}

}  // namespace

bool LooksLikeTable(const std::filesystem::path& path) {
  constexpr std::string_view kOurs = "LOCKSTEP", kGzip = "\x1f\x8b";
  std::string begin(4096, '\0');
  begin.resize(FileDescriptor::OpenForReading(path).ReadAt(0, begin.data(), begin.size()));
  if (begin.starts_with(kOurs)) return false;
  const std::string extension = path.extension().string();
  for (const char* known : {".csv", ".tsv", ".gz", ".npy"}) {
    if (extension == known) return true;
  }
  if (begin.empty()) return false;
  // Other text is a table where its first line has more cells than one.
  const std::string_view line = std::string_view(begin).substr(0, begin.find('\n'));
  const bool text = begin.find('\0') == begin.npos;
  return begin.starts_with(kGzip) || (text && line.find_first_of(",;\t|") != line.npos) ||
         IsArrayFile(path);
}

Json InspectTable(const SeriesImportOptions& options) {
  if (options.paths.empty()) throw InputError("nothing to inspect: name a table.");
  for (const std::filesystem::path& path : options.paths) {
    if (IsArrayFile(path)) {
      throw InputError(path.string() + " holds arrays, not a table: it is imported with --array.");
    }
  }
  CsvReader first(options.paths[0], options.delimiter, options.decimal_comma);
  TableSchema schema = FindSchema(&first, options);
  Inspection inspection(&schema, options.missing);
  inspection.Read(&first);
  uint64_t bytes = first.bytes_read();
  for (size_t i = 1; i < options.paths.size(); ++i) {
    CsvReader next(options.paths[i], options.delimiter, options.decimal_comma);
    RequireSameColumns(&next, schema);
    inspection.Read(&next);
    bytes += next.bytes_read();
  }
  inspection.Finish(first.name());
  Json json = {{"path", Printable(first.name())},
               {"format", "csv"},
               {"bytes", bytes},
               {"delimiter", Printable(std::string(1, first.delimiter()))},
               {"columns", Columns(schema)},
               {"frequency", FrequencyText(schema.frequency)}};
  inspection.Describe(&json);
  return json;
}

}  // namespace lockstep::io
