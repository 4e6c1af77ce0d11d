#ifndef LOCKSTEP_IO_SERIES_TABLE_INSPECTION_H_
#define LOCKSTEP_IO_SERIES_TABLE_INSPECTION_H_

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "io/series/series_import.h"

namespace lockstep::io {

/// Whether a file is text, packed text or an array, and does not begin as files of ours do.
/// InputError: no such file, no right to read it.
bool LooksLikeTable(const std::filesystem::path& path);

/// What an import with these options would make of the tables (its output is not looked at), as a
/// JSON object that keeps its order: "path" (of the first), "format": "csv", "bytes", "delimiter",
/// "columns" (each with name, role - time, series, value, known, static - and for covariates
/// "categorical"), "frequency" ("none": no time), "first_time", "last_time" (null without times),
/// "rows", "series", "series_rows" {"min", "median", "max"}, "missing_values" (empty cells in value
/// columns), "gaps" (places where rows are missing in time), "missing_rows" (in all gaps),
/// "duplicates" (times that go backwards or come twice), "irregular" (times between the steps),
/// "bad_rows" (that cannot be read at all) and "first_problem" (the message that an import would
/// end with; null: it would go through, but for splits and
/// for series without any value). Reads the whole tables with bounded memory.
/// InputError where nothing can be said: no such file, an array, no header, a column that is not
/// there.
nlohmann::ordered_json InspectTable(const SeriesImportOptions& options);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_TABLE_INSPECTION_H_
