#include "io/text/word_vectors.h"

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>
#include <unicode/ucasemap.h>

#include "io/errors.h"
#include "io/series/number_text.h"
#include "io/text/line_reader.h"

namespace lockstep::io {
namespace {

bool IsSeparator(char c) { return c == ' ' || c == '\t'; }

/// Takes the last field off the line, with what separates it; empty when there is none.
std::string_view TakeLastField(std::string_view* line) {
  while (!line->empty() && IsSeparator(line->back())) line->remove_suffix(1);
  size_t begin = line->size();
  while (begin > 0 && !IsSeparator((*line)[begin - 1])) --begin;
  const std::string_view field = line->substr(begin);
  line->remove_suffix(field.size());
  while (!line->empty() && IsSeparator(line->back())) line->remove_suffix(1);
  return field;
}

uint64_t CountFields(std::string_view line) {
  uint64_t fields = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (!IsSeparator(line[i]) && (i == 0 || IsSeparator(line[i - 1]))) ++fields;
  }
  return fields;
}

std::optional<uint64_t> WholeNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// ICU's full mapping to lower case, root locale, of UTF-8.
class Lowercase {
 public:
  Lowercase() {
    UErrorCode status = U_ZERO_ERROR;
    map_.reset(ucasemap_open("", 0, &status));
    if (U_FAILURE(status)) {
      throw SystemError(fmt::format("ICU: cannot open case maps: {}", u_errorName(status)));
    }
  }

  std::string operator()(const std::string& text) const {
    std::string lower(text.size() * 3 + 1, '\0');  // no mapping makes a character longer than that
    UErrorCode status = U_ZERO_ERROR;
    const int32_t size =
        ucasemap_utf8ToLower(map_.get(), lower.data(), static_cast<int32_t>(lower.size()),
                             text.data(), static_cast<int32_t>(text.size()), &status);
    if (U_FAILURE(status)) {
      throw SystemError(fmt::format("ICU: lower-casing failed: {}", u_errorName(status)));
    }
    lower.resize(static_cast<size_t>(size));
    return lower;
  }

 private:
  struct Close {
    void operator()(UCaseMap* map) const { ucasemap_close(map); }
  };
  std::unique_ptr<UCaseMap, Close> map_;
};

class VectorReader {
 public:
  VectorReader(const std::filesystem::path& path, const Vocabulary& vocabulary)
      : lines_(path), vocabulary_(vocabulary), second_choice_(vocabulary.size(), 0) {
    const Lowercase lowercase;
    for (uint32_t id = 0; id < vocabulary.size(); ++id) {
      const std::string& token = vocabulary.tokens()[id];
      std::string other = id == vocabulary.line_end() ? "</s>" : lowercase(token);
      if (other != token) others_[std::move(other)].push_back(id);
    }
    vectors_.found.resize(vocabulary.size());
  }

  WordVectors Read() {
    std::optional<uint64_t> promised;
    uint64_t read = 0;
    while (const std::optional<std::string_view> line = lines_.Next()) {
      if (lines_.line_number() == 1) promised = ReadHeader(*line);
      if (lines_.line_number() == 1 && promised) continue;
      TakeLine(*line);
      ++read;
    }
    if (read == 0) throw InputError(fmt::format("{} has no vector.", lines_.name()));
    if (promised && *promised != read) {
      lines_.Fail(
          fmt::format("the file ends with {} vectors, but its first line says {}. It may be "
                      "cut short.",
                      read, *promised));
    }
    for (uint32_t id = 0; id < vocabulary_.size(); ++id) {
      vectors_.found_count += vectors_.found[id];
      vectors_.lowercase_count += second_choice_[id] && id != vocabulary_.line_end();
    }
    return std::move(vectors_);
  }

 private:
  /// How many vectors there are, where this line says it; then also their size.
  std::optional<uint64_t> ReadHeader(std::string_view line) {
    if (CountFields(line) != 2) return std::nullopt;
    const std::optional<uint64_t> size = WholeNumber(TakeLastField(&line));
    const std::optional<uint64_t> count = WholeNumber(TakeLastField(&line));
    if (!size || !count) return std::nullopt;
    if (*size == 0) lines_.Fail("vectors of no numbers");
    vectors_.size = *size;
    return count;
  }

  void TakeLine(std::string_view line) {
    const uint64_t fields = CountFields(line);
    if (vectors_.size == 0) vectors_.size = fields > 0 ? fields - 1 : 0;
    if (fields < 2 || fields < vectors_.size + 1) FailCount(fields);
    fields_.resize(vectors_.size);
    for (uint64_t i = vectors_.size; i > 0; --i) fields_[i - 1] = TakeLastField(&line);
    while (!line.empty() && IsSeparator(line.front())) line.remove_prefix(1);
    if (fields > vectors_.size + 1 && SecondIsNumber(line)) FailCount(fields);
    if (vectors_.rows.empty()) vectors_.rows.resize(vocabulary_.size() * vectors_.size);

    if (const std::optional<uint32_t> id = vocabulary_.Find(line)) {
      if (!vectors_.found[*id] || second_choice_[*id]) Keep(*id, false);
    }
    const auto others = others_.find(std::string(line));
    if (others == others_.end()) return;
    for (const uint32_t id : others->second) {
      if (!vectors_.found[id]) Keep(id, true);
    }
  }

  static bool SecondIsNumber(std::string_view word) {
    float number = 0;
    return ParseNumber(TakeLastField(&word), '.', &number) == CellKind::kNumber;
  }

  [[noreturn]] void FailCount(uint64_t fields) const {
    lines_.Fail(
        fmt::format("is to be a word and {} numbers, but has {} fields", vectors_.size, fields));
  }

  void Keep(uint32_t id, bool second_choice) {
    float* row = vectors_.rows.data() + id * vectors_.size;
    for (uint64_t i = 0; i < vectors_.size; ++i) {
      if (ParseNumber(fields_[i], '.', &row[i]) != CellKind::kNumber) {
        lines_.Fail(fmt::format("value {} of \"{}\" is not a number: \"{}\"", i + 1,
                                vocabulary_.tokens()[id], fields_[i]));
      }
    }
    vectors_.found[id] = 1;
    second_choice_[id] = second_choice;
  }

  LineReader lines_;
  const Vocabulary& vocabulary_;
  std::unordered_map<std::string, std::vector<uint32_t>> others_;  // what tokens else may take
  std::vector<uint8_t> second_choice_;
  std::vector<std::string_view> fields_;
  WordVectors vectors_;
};

}  // namespace

WordVectors ReadWordVectors(const std::filesystem::path& path, const Vocabulary& vocabulary) {
  return VectorReader(path, vocabulary).Read();
}

}  // namespace lockstep::io
