#include "io/series/series_import.h"

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/dataset_place.h"
#include "io/errors.h"
#include "io/files/seal.h"
#include "io/series/array_rows.h"
#include "io/series/csv_reader.h"
#include "io/series/gap_filler.h"
#include "io/series/series_collector.h"
#include "io/series/series_splits.h"
#include "io/series/table_rows.h"
#include "io/series/table_schema.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kRowsBetweenLooks = 4096;

/// Tells the caller where the import stands, not too often.
class ProgressMeter {
 public:
  explicit ProgressMeter(const std::function<void(const SeriesImportProgress&)>& report)
      : report_(report) {}

  SeriesImportProgress& now() { return now_; }

  /// Mostly nothing, so that it may be called often.
  void Tick() {
    if (std::chrono::steady_clock::now() - reported_ >= std::chrono::milliseconds(250)) Report();
  }

  void Report() {
    reported_ = std::chrono::steady_clock::now();
    if (report_) report_(now_);
  }

 private:
  const std::function<void(const SeriesImportProgress&)>& report_;
  SeriesImportProgress now_;
  std::chrono::steady_clock::time_point reported_ = std::chrono::steady_clock::now();
};

void CheckOptions(const SeriesImportOptions& options) {
  if (options.paths.empty()) throw InputError("nothing to import: name a table.");
  RequirePlaceForDataset(options.output);
  for (const std::filesystem::path& path : options.paths) {
    if (path == "-" || !LooksLikeOurs(path)) continue;
    throw InputError(
        fmt::format("{} is a file of lockstep, not a table. Name tables alone.", path.string()));
  }
}

/// What the first pass leaves.
struct Tables {
  TableSchema schema;
  std::unique_ptr<SeriesSpill> spill;
  std::unique_ptr<SeriesCollector> collector;
  std::optional<SeriesSplits> splits;
  std::vector<Source> sources;
};

template <typename Rows, typename Table>
void ReadRows(Rows* rows, const Table& table, Tables* tables, ProgressMeter* meter) {
  Source& source = tables->sources.back();
  const uint64_t bytes_before = meter->now().bytes_done;
  const auto advance = [&] {
    source.bytes = table.bytes_read();
    meter->now().bytes_done = bytes_before + source.bytes;
    meter->Tick();
  };
  while (rows->Next()) {
    tables->collector->Take(*rows);
    ++source.size;
    ++meter->now().rows;
    if (source.size % kRowsBetweenLooks == 0) advance();
  }
  advance();
}

void StartTables(const SeriesImportOptions& options, Tables* tables) {
  const std::filesystem::path folder = options.output.parent_path();
  tables->spill = std::make_unique<SeriesSpill>(folder.empty() ? "." : folder,
                                                tables->schema.row_width(), options.memory_bytes);
  tables->splits.emplace(options, tables->schema.frequency);
  tables->collector =
      std::make_unique<SeriesCollector>(&tables->schema, options.missing, tables->spill.get());
}

void ReadCsv(const std::filesystem::path& path, const SeriesImportOptions& options, Tables* tables,
             ProgressMeter* meter) {
  CsvReader table(path, options.delimiter, options.decimal_comma);
  if (tables->sources.empty()) {
    tables->schema = FindSchema(&table, options);
    StartTables(options, tables);
  } else {
    RequireSameColumns(&table, tables->schema);
  }
  tables->sources.push_back({table.name()});
  TableRows rows(&table, &tables->schema);
  ReadRows(&rows, table, tables, meter);
}

void ReadArray(const std::filesystem::path& path, const SeriesImportOptions& options,
               Tables* tables, ProgressMeter* meter) {
  ArrayRows rows(path, options.array);
  if (tables->sources.empty()) {
    tables->schema = rows.FindSchema(options);
    StartTables(options, tables);
  } else {
    rows.RequireSameColumns(tables->schema);
  }
  rows.set_schema(&tables->schema);
  tables->sources.push_back({rows.name()});
  ReadRows(&rows, rows, tables, meter);
}

void ReadTables(const SeriesImportOptions& options, Tables* tables, ProgressMeter* meter) {
  const bool arrays = IsArrayFile(options.paths[0]);
  for (const std::filesystem::path& path : options.paths) {
    if (IsArrayFile(path) != arrays) {
      throw InputError(fmt::format("{} is {}, expected {}, as the first file is.", path.string(),
                                   arrays ? "a table" : "an array",
                                   arrays ? "an array" : "a table"));
    }
    if (arrays) {
      ReadArray(path, options, tables, meter);
    } else {
      ReadCsv(path, options, tables, meter);
    }
  }
  meter->Report();
  tables->collector->RequireRows(tables->sources[0].path);
}

/// The second pass: from the spill to the dataset.
class SeriesPublisher {
 public:
  SeriesPublisher(const SeriesImportOptions& options, const Tables& tables, SeriesSplits splits,
                  ProgressMeter* meter)
      : tables_(tables),
        schema_(tables.schema),
        meter_(*meter),
        splits_(std::move(splits)),
        description_(Describe(options)),
        writer_(options.output, description_) {}

  void Run(SeriesImportResult* result) {
    meter_.now().pass = 2;
    meter_.now().rows = 0;
    const uint64_t count = tables_.collector->names().size();
    // All that can be wrong with them is found before the first is written.
    std::vector<Series> all;
    for (uint64_t index = 0; index < count; ++index) all.push_back(Cut(index));
    splits_.RequireRows();
    for (uint64_t index = 0; index < count; ++index) {
      Write(index, all[index], result);
      Count(all[index], result);
    }
    meter_.Report();
    result->series = count;
    result->channels = description_.channels.size();
    result->frequency = description_.frequency;
    result->fingerprint = writer_.Publish(tables_.sources);
  }

 private:
  SeriesDescription Describe(const SeriesImportOptions& options) const {
    SeriesDescription description;
    for (SeriesCovariate& channel : schema_.Covariates(ColumnRole::kValue)) {
      description.channels.push_back(std::move(channel.name));
    }
    description.known = schema_.Covariates(ColumnRole::kKnown);
    description.statics = schema_.Covariates(ColumnRole::kStatic);
    for (const TableSchema::Column& column : schema_.columns) {
      if (column.role == ColumnRole::kTime) description.time = column.name;
    }
    description.frequency = schema_.frequency;
    description.missing = options.missing;
    description.scaled = options.scale;
    return description;
  }

  Series Cut(uint64_t index) {
    const SeriesCollector::State& state = tables_.collector->series(index);
    Series series;
    series.id = tables_.collector->names()[index];
    series.rows = state.value_rows;
    series.future_rows = state.clock.rows() - state.value_rows;
    series.start = state.clock.start();
    if (series.rows == 0) Fail(series, "has no value, expected one at least", "Leave it out.");
    splits_.Cut(&series);
    if (description_.scaled && series.train_end == 0) {
      Fail(series,
           fmt::format("has no training rows (of {}), expected some to learn its scale from",
                       series.rows),
           "Leave it out, cut the splits elsewhere, or take --scale none.");
    }
    const std::span<const float> statics = tables_.collector->statics(index);
    for (size_t i = 0; i < statics.size(); ++i) {
      if (std::isnan(statics[i])) FailForColumn(series, description_.statics[i].name);
    }
    return series;
  }

  std::vector<GapFiller::Column> Fills(const Series& series) const {
    const GapFill fill = description_.missing == MissingMode::kForward       ? GapFill::kForward
                         : description_.missing == MissingMode::kInterpolate ? GapFill::kLine
                                                                             : GapFill::kLeave;
    std::vector<GapFiller::Column> columns(schema_.channels, {fill, series.rows});
    for (const SeriesCovariate& known : description_.known) {
      const bool line = fill == GapFill::kLine && known.categories.empty();
      columns.push_back(
          {line ? GapFill::kLine : GapFill::kForward, series.rows + series.future_rows});
    }
    return columns;
  }

  void Write(uint64_t index, const Series& series, SeriesImportResult* result) {
    writer_.StartSeries(series, tables_.collector->statics(index));
    GapFiller filler(*tables_.spill, index, Fills(series));
    for (uint64_t row = 0;;) {
      const std::span<const float> block = filler.Next();
      if (filler.empty_column()) {
        const size_t column = *filler.empty_column();
        FailForColumn(series, column < schema_.channels
                                  ? description_.channels[column]
                                  : description_.known[column - schema_.channels].name);
      }
      if (block.empty()) break;
      writer_.Append(block);
      row += block.size() / schema_.row_width();
      meter_.now().rows += block.size() / schema_.row_width();
      meter_.Tick();
    }
    result->missing_values += tables_.collector->series(index).missing_values;
    result->filled_rows += tables_.collector->series(index).missing_rows;
  }

  static void Count(const Series& series, SeriesImportResult* result) {
    result->rows += series.rows;
    result->future_rows += series.future_rows;
    result->train_rows += series.train_end;
    result->validation_rows += series.validation_end - series.train_end;
    result->test_rows += series.test_end - series.validation_end;
    result->left_out_rows += series.rows - series.test_end;
  }

  [[noreturn]] static void Fail(const Series& series, const std::string& what,
                                const std::string& advice) {
    throw InputError(fmt::format("series {} {}. {}", Quoted(series.id), what, advice));
  }

  [[noreturn]] static void FailForColumn(const Series& series, const std::string& column) {
    Fail(series, fmt::format("has no value in column {}, expected one at least", Quoted(column)),
         "Leave the series or the column out, or (for values) take --missing mask.");
  }

  const Tables& tables_;
  const TableSchema& schema_;
  ProgressMeter& meter_;
  SeriesSplits splits_;
  SeriesDescription description_;
  SeriesDatasetWriter writer_;
};

}  // namespace

SeriesImportResult ImportSeries(const SeriesImportOptions& options,
                                const std::function<void(const SeriesImportProgress&)>& progress) {
  CheckOptions(options);
  ProgressMeter meter(progress);
  for (const std::filesystem::path& path : options.paths) {
    meter.now().bytes_total += SourceBytes(path);
  }
  Tables tables;
  ReadTables(options, &tables, &meter);
  SeriesImportResult result;
  result.files = tables.sources.size();
  for (const Source& source : tables.sources) result.bytes += source.bytes;
  SeriesPublisher(options, tables, *tables.splits, &meter).Run(&result);
  return result;
}

}  // namespace lockstep::io
