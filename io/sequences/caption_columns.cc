#include "io/sequences/caption_columns.h"

#include <utility>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/series/number_text.h"
#include "io/series/table_rows.h"

namespace lockstep::io {

std::string CaptionColumns::Place::Text() const {
  return fmt::format("{}, line {}: {}", file, line, Quoted(cell));
}

void CaptionColumns::SetNames(std::vector<std::string> names, bool chosen) {
  chosen_ = chosen;
  for (std::string& name : names) columns_.push_back({std::move(name), {}, {}, {}});
}

std::vector<std::string> CaptionColumns::names() const {
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  return names;
}

void CaptionColumns::Look(std::span<const std::string_view> cells, const std::string& file,
                          uint64_t line) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (column.other) continue;
    float number = 0;
    const CellKind kind = ParseNumber(cells[i], '.', &number);
    if (kind == CellKind::kOther) {
      column.other = Place{file, line, std::string(cells[i])};
    } else if (kind == CellKind::kMissing && !column.missing) {
      column.missing = Place{file, line, std::string(cells[i])};
    }
  }
}

void CaptionColumns::Decide() {
  bool any = false;
  for (Column& column : columns_) {
    column.used = chosen_ || !column.other;
    any = any || column.used;
    if (column.used && !column.other && column.missing) {
      throw InputError(fmt::format(
          "{}, line {}: found no number in the column {}, which holds numbers elsewhere. Fill it "
          "in, take the row out, or name other columns with --features.",
          column.missing->file, column.missing->line, Quoted(column.name)));
    }
  }
  if (!any) {
    throw InputError(
        "no column beside the text holds numbers alone. Name those to use with --features: one "
        "that holds no numbers becomes a number for each of its values.");
  }
}

// A number for each column; 0 where it has values instead.
void CaptionColumns::Read(const StoredExample& example, std::vector<float>* numbers) const {
  if (example.cells.empty()) {
    *numbers = example.numbers;
    return;
  }
  numbers->assign(columns_.size(), 0);
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].used && !columns_[i].other) {
      ParseNumber(example.cells[i], '.', &(*numbers)[i]);
    }
  }
}

void CaptionColumns::Learn(const StoredExample& example) {
  if (!moments_) moments_.emplace(columns_.size());
  Read(example, &numbers_);
  moments_->Add(numbers_.data(), 1, numbers_.size());
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (!column.used || !column.other) continue;
    column.values.try_emplace(std::string(example.cells[i]), 0);
    if (column.values.size() > kMostValues) {
      throw InputError(fmt::format(
          "the column {} has more than {} different values and is none of numbers ({}). Name other "
          "columns with --features.",
          Quoted(column.name), kMostValues, column.other->Text()));
    }
  }
}

SequenceField CaptionColumns::MakeField() {
  SequenceField field{"vector", SequenceField::Kind::kVector, {}, {}};
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (!column.used) continue;
    if (!column.other) {
      field.names.push_back(column.name);
      field.means.push_back(moments_->Mean(i));
      field.deviations.push_back(moments_->Deviation(i));
      continue;
    }
    for (auto& [value, place] : column.values) {
      place = static_cast<uint32_t>(field.names.size());
      field.names.push_back(column.name + "=" + value);
      field.means.push_back(0);
      field.deviations.push_back(1);
    }
  }
  return field;
}

void CaptionColumns::Encode(const StoredExample& example, std::vector<float>* vector) {
  Read(example, &numbers_);
  vector->clear();
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (!column.used) continue;
    if (!column.other) {
      vector->push_back(numbers_[i]);
      continue;
    }
    const size_t begin = vector->size();
    vector->resize(begin + column.values.size(), 0);
    const auto found = column.values.find(example.cells[i]);
    if (found != column.values.end()) {
      (*vector)[found->second] = 1;
    } else {
      ++column.unseen;
    }
  }
}

std::vector<std::string> CaptionColumns::Notes() const {
  std::vector<std::string> notes;
  for (const Column& column : columns_) {
    if (!column.other) continue;
    if (column.used) {
      notes.push_back(fmt::format("the column {} becomes a number for each of its {} values ({})",
                                  Quoted(column.name), column.values.size(), column.other->Text()));
    } else {
      notes.push_back(
          fmt::format("the column {} holds no numbers ({}) and is left out; name it "
                      "with --features to use it",
                      Quoted(column.name), column.other->Text()));
    }
  }
  return notes;
}

std::vector<std::string> CaptionColumns::Warnings() const {
  std::vector<std::string> warnings;
  for (const Column& column : columns_) {
    if (column.unseen == 0) continue;
    warnings.push_back(
        fmt::format("{} examples of validation and test have a value in the column {} that "
                    "training lacks; it stands as zeros",
                    column.unseen, Quoted(column.name)));
  }
  return warnings;
}

}  // namespace lockstep::io
