#include "io/sequences/text_columns.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/errors.h"
#include "io/sequences/source_text.h"
#include "io/series/number_text.h"
#include "io/series/table_rows.h"

namespace lockstep::io {
namespace {

constexpr size_t kMostShown = 30;

// From 1; 0: it is no number.
size_t ColumnNumber(const std::string& text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

bool IsTableName(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".csv") || name.ends_with(".csv.gz");
}

}  // namespace

std::vector<std::string> ReadColumnNames(CsvReader* table) {
  if (!table->Next()) {
    throw InputError(fmt::format(
        "{} is empty, expected a first line with the names of the columns.", table->name()));
  }
  std::vector<std::string> names;
  for (const std::string_view cell : table->cells()) names.emplace_back(Trimmed(cell));
  return names;
}

size_t FindColumn(const std::vector<std::string>& names, const std::string& wanted,
                  const std::string& file) {
  const auto found = std::ranges::find(names, wanted);
  if (found == names.end()) {
    std::vector<std::string> shown;
    for (size_t i = 0; i < std::min(names.size(), kMostShown); ++i) {
      shown.push_back(Quoted(names[i]));
    }
    throw InputError(fmt::format("{}, line 1: found no column {}, expected one of {}{}.", file,
                                 Quoted(wanted), fmt::join(shown, ", "),
                                 names.size() > kMostShown ? ", ..." : ""));
  }
  if (std::find(found + 1, names.end(), wanted) != names.end()) {
    throw InputError(
        fmt::format("{}, line 1: found two columns {}, expected one.", file, Quoted(wanted)));
  }
  return static_cast<size_t>(found - names.begin());
}

void RequireCells(const CsvReader& table, size_t count) {
  if (table.cells().size() == count) return;
  throw InputError(
      fmt::format("{}, line {}: found {} cells, expected {}, as many as the first line has.",
                  table.name(), table.line(), table.cells().size(), count));
}

TextColumns::TextColumns(const std::filesystem::path& path, const SequenceImportOptions& options,
                         const Wanted& wanted, uint64_t* replaced)
    : wanted_none_(wanted.columns[0].empty() && wanted.columns[1].empty()),
      second_is_rest_(wanted.second_is_rest && wanted_none_) {
  if (!wanted_none_ && (wanted.columns[0].empty() || wanted.columns[1].empty())) {
    throw InputError(fmt::format("{} and {} go together: name both columns or none",
                                 wanted.options[0], wanted.options[1]));
  }
  const bool is_table = options.delimiter == 0 && IsTableName(path);
  if (wanted_none_ && is_table) {
    throw InputError(fmt::format(
        "{} is a table: name its columns with {} and {}, as its first line does, or by their "
        "numbers where there is no such line",
        path.string(), wanted.options[0], wanted.options[1]));
  }
  std::array<size_t, 2> numbers = {1, 2};
  if (!wanted_none_) {
    numbers = {ColumnNumber(wanted.columns[0]), ColumnNumber(wanted.columns[1])};
    if ((numbers[0] == 0) != (numbers[1] == 0)) {
      throw InputError(fmt::format("{} and {} must both be names of columns, or both numbers",
                                   wanted.options[0], wanted.options[1]));
    }
  }
  const bool by_name = numbers[0] == 0;
  const bool other_delimiter = options.delimiter != 0 && options.delimiter != '\t';
  std::unique_ptr<CharSource> text = OpenText(path, options, replaced);
  if (by_name || other_delimiter || is_table) {
    table_ = std::make_unique<CsvReader>(std::move(text), options.delimiter, false);
  } else {
    lines_ = std::make_unique<LineReader>(std::move(text));
  }
  if (by_name) {
    const std::vector<std::string> names = ReadColumnNames(table_.get());
    for (size_t i = 0; i < 2; ++i) {
      places_[i] = FindColumn(names, wanted.columns[i], table_->name());
    }
    row_cells_ = names.size();
  } else {
    places_ = {numbers[0] - 1, numbers[1] - 1};
  }
}

bool TextColumns::Next() { return lines_ != nullptr ? NextLine() : NextRow(); }

bool TextColumns::NextLine() {
  std::optional<std::string_view> line = lines_->Next();
  while (line && line->empty()) line = lines_->Next();
  if (!line) return false;
  const size_t needed = std::max(places_[0], places_[1]) + 1;
  std::string_view rest = *line;
  size_t column = 0;
  for (bool more = true; more && column < needed; ++column) {
    const bool takes_rest = second_is_rest_ && column + 1 == needed;
    const size_t tab = takes_rest ? std::string_view::npos : rest.find('\t');
    more = tab != std::string_view::npos;
    for (size_t i = 0; i < 2; ++i) {
      if (places_[i] == column) cells_[i] = rest.substr(0, tab);
    }
    rest.remove_prefix(more ? tab + 1 : rest.size());
    has_further_ = more && wanted_none_;
  }
  if (column < needed) FailForColumns(column, "tabs");
  return true;
}

bool TextColumns::NextRow() {
  if (!table_->Next()) return false;
  const std::span<const std::string_view> row = table_->cells();
  const size_t needed = std::max(places_[0], places_[1]) + 1;
  if (row_cells_ != 0) RequireCells(*table_, row_cells_);
  if (row.size() < needed) FailForColumns(row.size(), "delimiters");
  for (size_t i = 0; i < 2; ++i) cells_[i] = row[places_[i]];
  has_further_ = wanted_none_ && row.size() > needed;
  return true;
}

std::string TextColumns::Place() const {
  if (lines_ != nullptr) return fmt::format("{}, line {}", lines_->name(), lines_->line_number());
  return fmt::format("{}, line {}", table_->name(), table_->line());
}

uint64_t TextColumns::bytes_read() const {
  return lines_ != nullptr ? lines_->bytes_read() : table_->bytes_read();
}

void TextColumns::FailForColumns(size_t found, const char* between) const {
  throw InputError(fmt::format("{}: found {} column{}, expected {} with {} between them.", Place(),
                               found, found == 1 ? "" : "s", std::max(places_[0], places_[1]) + 1,
                               between));
}

}  // namespace lockstep::io
