#include "io/sequences/caption_columns.h"

#include <algorithm>
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
  for (std::string& name : names) columns_.emplace_back().name = std::move(name);
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
    float number = 0;
    const CellKind kind = ParseNumber(cells[i], '.', &number);
    ++(kind == CellKind::kNumber ? column.numbers_seen : column.others_seen);
    if (kind == CellKind::kOther) {
      if (!column.other) column.other = Place{file, line, std::string(cells[i])};
    } else if (kind == CellKind::kMissing && !column.missing) {
      column.missing = Place{file, line, std::string(cells[i])};
    }
  }
}

void CaptionColumns::RequireNumbers() const {
  for (const Column& column : columns_) {
    if (!column.used || !column.numbers) continue;
    if (column.other) {
      throw InputError(fmt::format("{}: the column {} holds numbers in {}.", column.other->Text(),
                                   Quoted(column.name), origin_));
    }
    if (column.missing) {
      throw InputError(fmt::format(
          "{}, line {}: found no number in the column {}, which holds numbers elsewhere. Fill it "
          "in, take the row out, or name other columns with --features.",
          column.missing->file, column.missing->line, Quoted(column.name)));
    }
  }
}

void CaptionColumns::TakeFrom(const SequenceField& given, const std::string& origin) {
  given_ = given;
  origin_ = origin;
  for (Column& column : columns_) column.used = false;
  for (size_t i = 0; i < given.names.size(); ++i) {
    const std::string& name = given.names[i];
    const auto place = static_cast<uint32_t>(i);
    auto column = std::ranges::find(columns_, name, &Column::name);
    if (column != columns_.end()) {
      column->place = place;
    } else {
      // "column=value", where either may have a "=" in it.
      column = std::ranges::find_if(
          columns_, [&](const Column& one) { return name.starts_with(one.name + "="); });
      if (column == columns_.end()) {
        throw InputError(fmt::format(
            "no column here gives the number {} that the vector of {} has. Name the columns with "
            "--features, or leave --vocabulary-from out.",
            Quoted(name), origin));
      }
      column->numbers = false;
      column->values[name.substr(column->name.size() + 1)] = place;
    }
    column->used = true;
  }
}

void CaptionColumns::Decide(const SequenceField* given, const std::string& origin) {
  if (given != nullptr) {
    TakeFrom(*given, origin);
    return RequireNumbers();
  }
  for (Column& column : columns_) {
    column.numbers = !column.other;
    column.used = chosen_ || column.numbers;
  }
  RequireNumbers();
  if (std::ranges::none_of(columns_, &Column::used)) {
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
    if (columns_[i].used && columns_[i].numbers) {
      ParseNumber(example.cells[i], '.', &(*numbers)[i]);
    }
  }
}

void CaptionColumns::Learn(const StoredExample& example) {
  if (given_) return;
  if (!moments_) moments_.emplace(columns_.size());
  Read(example, &numbers_);
  moments_->Add(numbers_.data(), 1, numbers_.size());
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (!column.used || column.numbers) continue;
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
  if (given_) field = *given_;
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (given_ || !column.used) continue;
    if (column.numbers) {
      column.place = static_cast<uint32_t>(field.names.size());
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
  size_ = field.names.size();
  return field;
}

void CaptionColumns::Encode(const StoredExample& example, std::vector<float>* vector) {
  Read(example, &numbers_);
  vector->assign(size_, 0);
  for (size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    if (!column.used) continue;
    if (column.numbers) {
      (*vector)[column.place] = numbers_[i];
      continue;
    }
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
    if (!column.other || given_) continue;
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
    if (!given_ && column.other && column.numbers_seen > 9 * column.others_seen) {
      warnings.push_back(fmt::format(
          "the column {} is not taken for one of numbers because of {} cells ({}), where {} are "
          "numbers",
          Quoted(column.name), column.others_seen, column.other->Text(), column.numbers_seen));
    }
    if (column.unseen == 0) continue;
    warnings.push_back(
        fmt::format("{} examples {}have a value in the column {} that {} lacks; it stands as zeros",
                    column.unseen, given_ ? "" : "of validation and test ", Quoted(column.name),
                    given_ ? origin_ : "training"));
  }
  return warnings;
}

}  // namespace lockstep::io
