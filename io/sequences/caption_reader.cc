#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/hdf5/h5_foreign.h"
#include "io/sequences/example_readers.h"
#include "io/sequences/source_text.h"
#include "io/sequences/text_columns.h"
#include "io/series/number_text.h"
#include "io/series/table_rows.h"
#include "io/text/printable.h"
#include "io/text/text_decoder.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kBlockRows = 1024;

// All columns but the text's.
std::vector<std::string> Others(const std::vector<std::string>& names, const std::string& text) {
  std::vector<std::string> others;
  for (const std::string& name : names) {
    if (name != text) others.push_back(name);
  }
  return others;
}

void ReadTable(const std::filesystem::path& path, const SequenceImportOptions& options,
               CaptionColumns* columns, ExampleSink* sink, ReadingNotes* notes) {
  if (options.text_column.empty()) {
    throw InputError(fmt::format(
        "{} is a table (no HDF5): name the column of its texts with --text", path.string()));
  }
  CsvReader table(OpenText(path, options, &notes->replaced), options.delimiter, false);
  const std::vector<std::string> names = ReadColumnNames(&table);
  const size_t text = FindColumn(names, options.text_column, table.name());
  if (columns->empty()) {
    const bool chosen = !options.features.empty();
    columns->SetNames(chosen ? options.features : Others(names, options.text_column), chosen);
  }
  std::vector<size_t> places;
  for (const std::string& name : columns->names()) {
    places.push_back(FindColumn(names, name, table.name()));
  }
  Source source{path.string(), SourceBytes(path), 0};
  std::vector<std::string_view> cells(places.size());
  std::string room;
  SourceExample example;
  while (table.Next()) {
    RequireCells(table, names.size());
    for (size_t i = 0; i < places.size(); ++i) cells[i] = Trimmed(table.cells()[places[i]]);
    columns->Look(cells, table.name(), table.line());
    example.texts[0] = OneLine(table.cells()[text], &room);
    example.cells = cells;
    sink->Take(example, table.bytes_read());
    ++source.size;
  }
  notes->sources.push_back(std::move(source));
}

void ReadArrays(const std::filesystem::path& path, const SequenceImportOptions& options,
                CaptionColumns* columns, ExampleSink* sink, ReadingNotes* notes) {
  if (!options.features.empty() || !options.text_column.empty()) {
    throw InputError(fmt::format(
        "{} is HDF5 and has no columns with names: use --features-array and --text-array",
        path.string()));
  }
  if (!SameEncoding(options.encoding.name, "utf-8") || options.encoding.replace_invalid) {
    throw InputError(fmt::format(
        "{} is HDF5, whose strings are taken as UTF-8: leave --encoding and --invalid out",
        path.string()));
  }
  const ForeignArray features(path, options.features_array, "--features-array");
  const ForeignStrings texts(path, options.text_array, "--text-array");
  if (features.rows() != texts.size()) {
    throw InputError(fmt::format("{}: found {} texts in {}, expected {}, the rows of {}.",
                                 path.string(), texts.size(), texts.name(), features.rows(),
                                 features.name()));
  }
  if (columns->empty()) {
    std::vector<std::string> names;
    for (uint64_t i = 0; i < features.columns(); ++i) names.push_back(fmt::to_string(i));
    columns->SetNames(std::move(names), true);
  }
  const uint64_t width = features.columns();
  if (width != columns->names().size()) {
    throw InputError(fmt::format("{}: found {} columns in {}, expected {} as in the files before.",
                                 path.string(), width, features.name(), columns->names().size()));
  }
  const uint64_t bytes = SourceBytes(path);
  std::vector<double> block;
  std::vector<std::string> strings;
  std::vector<float> numbers(width);
  std::string room;
  SourceExample example;
  for (uint64_t first = 0; first < features.rows(); first += kBlockRows) {
    const uint64_t count = std::min(kBlockRows, features.rows() - first);
    block.resize(count * width);
    features.Read(first, count, block.data());
    texts.Read(first, count, &strings);
    for (uint64_t row = 0; row < count; ++row) {
      for (uint64_t i = 0; i < width; ++i) {
        numbers[i] = static_cast<float>(block[row * width + i]);
        if (!std::isfinite(numbers[i])) {
          throw InputError(
              fmt::format("{}: found {} in row {}, column {} of {}, expected a number.",
                          path.string(), block[row * width + i], first + row, i, features.name()));
        }
      }
      if (!IsUtf8(strings[row])) {
        throw InputError(fmt::format("{}: row {} of {} is {}, which is not UTF-8.", path.string(),
                                     first + row, texts.name(), Quoted(strings[row])));
      }
      example.texts[0] = OneLine(strings[row], &room);
      example.numbers = numbers;
      sink->Take(example, bytes * (first + row + 1) / features.rows());
    }
  }
  notes->sources.push_back({path.string(), bytes, features.rows()});
}

}  // namespace

void ReadCaptions(const ImportSource& source, const SequenceImportOptions& options,
                  CaptionColumns* columns, ExampleSink* sink, ReadingNotes* notes) {
  const std::filesystem::path& path = source.files[0];
  if (path != "-" && IsHdf5(path)) {
    ReadArrays(path, options, columns, sink, notes);
  } else {
    ReadTable(path, options, columns, sink, notes);
  }
}

}  // namespace lockstep::io
