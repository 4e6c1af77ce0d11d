#include "trainer/tasks/label/label_tables.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep::trainer {
namespace {

constexpr size_t kWidestConfusion = 12;  // classes, in a terminal

size_t WidestName(const std::vector<std::string>& names) {
  size_t width = 5;
  for (const std::string& name : names) width = std::max(width, name.size());
  return width;
}

std::string Heading(const char* what, size_t width) {
  return fmt::format("\n\n{:<{}}  precision  recall      F1  number", what, width);
}

std::string Row(const std::string& name, size_t width, double precision, double recall, double f1,
                int64_t number) {
  return fmt::format("\n{:<{}}  {:9.4f}  {:6.4f}  {:6.4f}  {:6}", name, width, precision, recall,
                     f1, number);
}

// "label  taken for  number", the most frequent first.
std::string Mistakes(const ClassScores& scores, const std::vector<std::string>& names,
                     size_t width) {
  constexpr size_t kMostRows = 12;
  const size_t classes = names.size();
  std::vector<size_t> places;
  for (size_t i = 0; i < classes * classes; ++i) {
    if (i / classes != i % classes && scores.confusion[i] > 0) places.push_back(i);
  }
  if (places.empty()) return "";
  std::ranges::stable_sort(places, std::greater<>(), [&](size_t i) { return scores.confusion[i]; });
  const size_t second = std::max(width, std::string_view("taken for").size());
  std::string text = fmt::format("\n\n{:<{}}  {:<{}}  times", "label", width, "taken for", second);
  for (size_t i = 0; i < std::min(places.size(), kMostRows); ++i) {
    text += fmt::format("\n{:<{}}  {:<{}}  {:5}", names[places[i] / classes], width,
                        names[places[i] % classes], second, scores.confusion[places[i]]);
  }
  if (places.size() > kMostRows) {
    text += fmt::format("\n({} more; --json has all)", places.size() - kMostRows);
  }
  return text;
}

}  // namespace

std::string ClassTable(const ClassScores& scores, const std::vector<std::string>& names) {
  const size_t width = WidestName(names);
  std::string text = Heading("label", width);
  for (size_t i = 0; i < names.size(); ++i) {
    const ClassScore& row = scores.rows[i];
    if (row.support == 0 && row.found == 0) continue;
    text += Row(names[i], width, row.precision, row.recall, row.f1, row.support);
  }
  if (scores.confusion.empty()) return text;
  if (names.size() > kWidestConfusion) return text + Mistakes(scores, names, width);
  text += fmt::format("\n\n{:<{}}  taken for", "label", width);
  for (size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("\n{:<{}}", names[i], width);
    for (size_t j = 0; j < names.size(); ++j) {
      text += fmt::format("  {:6}", scores.confusion[i * names.size() + j]);
    }
  }
  return text;
}

std::string SpanTable(const SpanScores& scores) {
  std::vector<std::string> names;
  for (const SpanScore& row : scores.rows) names.push_back(row.type);
  const size_t width = WidestName(names);
  std::string text = Heading("spans", width);
  const auto add = [&](const std::string& name, const SpanScore& row) {
    text += Row(name, width, row.precision(), row.recall(), row.f1(), row.truth);
  };
  for (const SpanScore& row : scores.rows) {
    if (row.truth > 0 || row.found > 0) add(row.type, row);
  }
  add("all", scores.all);
  return text;
}

void AddClasses(const ClassScores& scores, const std::vector<std::string>& names,
                nlohmann::ordered_json& json) {
  json["accuracy"] = scores.accuracy;
  json["macro_f1"] = scores.macro_f1;
  auto& rows = json["labels"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    const ClassScore& row = scores.rows[i];
    rows.push_back({{"label", names[i]},
                    {"precision", row.precision},
                    {"recall", row.recall},
                    {"f1", row.f1},
                    {"number", row.support}});
  }
  if (scores.confusion.empty()) return;
  auto& table = json["confusion"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto row = scores.confusion.begin() + static_cast<int64_t>(i * names.size());
    table.push_back(std::vector<int64_t>(row, row + static_cast<int64_t>(names.size())));
  }
}

void AddSpans(const SpanScores& scores, std::string_view scheme, nlohmann::ordered_json& json) {
  json["tokens"] = scores.tokens;
  json["token_accuracy"] = scores.token_accuracy;
  if (scheme.empty()) return;
  json["scheme"] = scheme;
  json["precision"] = scores.all.precision();
  json["recall"] = scores.all.recall();
  json["span_f1"] = scores.all.f1();
  auto& rows = json["spans"] = nlohmann::ordered_json::array();
  for (const SpanScore& row : scores.rows) {
    rows.push_back({{"type", row.type},
                    {"precision", row.precision()},
                    {"recall", row.recall()},
                    {"f1", row.f1()},
                    {"number", row.truth}});
  }
}

}  // namespace lockstep::trainer
