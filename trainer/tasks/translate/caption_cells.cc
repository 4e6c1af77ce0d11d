#include "trainer/tasks/translate/caption_cells.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r";

std::string_view Trimmed(std::string_view cell) {
  const size_t begin = cell.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return cell.substr(begin, cell.find_last_not_of(kWhiteSpace) + 1 - begin);
}

std::optional<float> NumberOf(std::string_view cell) {
  if (cell.starts_with('+')) cell.remove_prefix(1);
  float number = 0.0f;
  const char* const end = cell.data() + cell.size();
  const auto [stop, error] = std::from_chars(cell.data(), end, number);
  if (error != std::errc() || stop != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

}  // namespace

CaptionCells::CaptionCells(std::vector<std::string> names) : names_(std::move(names)) {
  for (size_t i = 0; i < names_.size(); ++i) {
    const size_t equals = names_[i].find('=');
    if (equals == std::string::npos) {
      columns_.push_back({names_[i], i, {}});
      continue;
    }
    const std::string column = names_[i].substr(0, equals);
    if (columns_.empty() || columns_.back().name != column || columns_.back().values.empty()) {
      columns_.push_back({column, i, {}});
    }
    columns_.back().values.push_back(names_[i].substr(equals + 1));
  }
}

std::vector<std::string_view> CaptionCells::CellsOf(std::string_view line) const {
  if (columns_.size() == 1 && !columns_[0].values.empty() && names_.size() > 1) {
    return {line};  // a value may have anything in it
  }
  const size_t separator = line.find_first_of('\t') != line.npos  ? line.find('\t')
                           : line.find_first_of(',') != line.npos ? line.find(',')
                                                                  : line.find(';');
  std::vector<std::string_view> cells;
  if (separator == line.npos) {
    for (size_t begin = line.find_first_not_of(kWhiteSpace); begin != line.npos;) {
      const size_t end = std::min(line.find_first_of(kWhiteSpace, begin), line.size());
      cells.push_back(line.substr(begin, end - begin));
      begin = line.find_first_not_of(kWhiteSpace, end);
    }
    return cells;
  }
  const char mark = line[separator];
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(mark, begin), line.size());
    cells.push_back(Trimmed(line.substr(begin, end - begin)));
    begin = end + 1;
  }
  return cells;
}

void CaptionCells::ReadCell(const Column& column, std::string_view cell, const InputLine& line,
                            std::vector<float>& vector) const {
  if (column.values.empty()) {
    const std::optional<float> number = NumberOf(cell);
    if (!number) {
      throw UsageError(fmt::format("standard input, line {}: {} is \"{}\", which is no number",
                                   line.number, column.name, cell));
    }
    vector[column.begin] = *number;
    return;
  }
  const auto value = std::ranges::find(column.values, cell);
  if (value == column.values.end()) {
    constexpr size_t kShown = 20;
    throw UsageError(fmt::format(
        "standard input, line {}: {} is \"{}\"; the model knows {}{}", line.number, column.name,
        cell,
        fmt::join(
            column.values.begin(),
            column.values.begin() + static_cast<int64_t>(std::min(kShown, column.values.size())),
            ", "),
        column.values.size() > kShown ? fmt::format(" and {} more", column.values.size() - kShown)
                                      : ""));
  }
  vector[column.begin + (value - column.values.begin())] = 1.0f;
}

std::vector<float> CaptionCells::Read(const InputLine& line) const {
  const std::string_view text = Trimmed(line.text);
  if (text.empty()) return {};
  const std::vector<std::string_view> cells = CellsOf(text);
  std::vector<float> vector(names_.size(), 0.0f);
  if (cells.size() == columns_.size()) {
    for (size_t i = 0; i < cells.size(); ++i) ReadCell(columns_[i], cells[i], line, vector);
    return vector;
  }
  if (cells.size() == names_.size()) {
    for (size_t i = 0; i < cells.size(); ++i) {
      ReadCell({names_[i], i, {}}, cells[i], line, vector);
    }
    return vector;
  }
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  throw UsageError(fmt::format("standard input, line {}: has {} cells; the model takes {}: {}",
                               line.number, cells.size(), names.size(), fmt::join(names, ", ")));
}

}  // namespace lockstep::trainer
