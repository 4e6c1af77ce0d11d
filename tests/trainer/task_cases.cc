#include "tests/trainer/task_cases.h"

#include <cmath>
#include <numbers>
#include <random>

#include <fmt/format.h>

namespace lockstep::trainer {
namespace {

constexpr const char* kWords[] = {"the",  "of",    "and",   "to",    "a",   "in",   "is",   "was",
                                  "he",   "for",   "it",    "with",  "as",  "his",  "on",   "be",
                                  "at",   "by",    "had",   "not",   "are", "but",  "from", "or",
                                  "have", "they",  "which", "one",   "you", "were", "her",  "all",
                                  "she",  "there", "would", "their", "we",  "him",  "been", "has"};

TaskCase LanguageModel() {
  return {"language_model",
          "language_model",
          "data { lanes: 10 time_steps: 12 }\n"
          "model { embedding_size: 12 cell: LSTM layers: 2 hidden_size: 24 dropout: 0.2 }\n",
          EnglishLikeText(1800),
          {"text"},
          "sample",
          {"data.lanes=3", "data.time_steps=1", "model.hidden_size=128"}};
}

TaskCase Forecast(const std::string& name, const std::string& task, const std::string& cell) {
  return {
      "forecast_" + name,
      "forecast",
      fmt::format("data {{ lanes: 10 time_steps: 7 }}\n"
                  "model {{ cell: {} layers: 2 hidden_size: 24 dropout: 0.2 }}\n"
                  "task {{ forecast {{ history: 16 horizon: 8 season: 12 samples: 10 "
                  "calendar: \"hour,weekday\" {} }} }}\n",
                  cell, task),
      SmallPanel(),
      {"series", "--series", "id", "--known", "price", "--static", "kind", "--split", "60,20,20"},
      "forecast",
      {"data.lanes=3", "data.time_steps=2", "model.hidden_size=384"}};
}

}  // namespace

std::string EnglishLikeText(int words, uint64_t seed) {
  std::mt19937_64 random(seed);  // the same everywhere, unlike the distributions of the library
  std::string text;
  for (int i = 0; i < words; ++i) {
    // Low numbers are more frequent, as in a language.
    const uint64_t draw = std::min(random() % std::size(kWords), random() % std::size(kWords));
    text += kWords[draw];
    text += random() % 12 == 0 ? ".\n" : " ";
  }
  return text;
}

std::string SmallPanel() {
  constexpr int kRows[] = {330, 270, 190};
  std::mt19937_64 random(5);
  const auto noise = [&] { return static_cast<double>(random() % 2001) / 1000.0 - 1.0; };
  std::string table = "id,date,price,kind,load,flow\n";
  for (int series = 0; series < 3; ++series) {
    for (int row = 0; row < kRows[series]; ++row) {
      const double price = row % 5 == 0 ? 2.0 : 1.0;
      const double season = std::sin(2.0 * std::numbers::pi * row / 12.0);
      table += fmt::format("s{},2024-02-{:02} {:02}:00:00,{},{},{:.3f},{:.3f}\n", series,
                           1 + row / 24, row % 24, price, series == 1 ? "b" : "a",
                           10.0 * (series + 1) + 3.0 * season - price + 0.3 * noise(),
                           100.0 - 20.0 * season + 2.0 * noise());
    }
  }
  return table;
}

const TaskCase& LanguageModelCase() { return AllTaskCases().front(); }

const std::vector<TaskCase>& AllTaskCases() {
  static const std::vector<TaskCase> kCases = {
      LanguageModel(), Forecast("direct", "decoding: DIRECT huber { }", "LSTM"),
      Forecast("autoregressive", "decoding: AUTOREGRESSIVE gaussian { } normalization: MEAN",
               "LSTM"),
      Forecast("segments", "decoding: SEGMENTS segment_length: 4 channel_embedding: 6", "GRU"),
      Forecast("stream", "decoding: STREAM channels: TOGETHER student_t { } normalization: NONE",
               "GRU_RESET_BEFORE")};
  return kCases;
}

}  // namespace lockstep::trainer
