#include "tests/trainer/task_cases.h"

#include <cmath>
#include <numbers>
#include <random>
#include <sstream>

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
          {},
          "sample",
          {},
          {"data.lanes=3", "data.time_steps=1", "model.hidden_size=128"}};
}

// All that regularises it, and averages: Merity et al. 2017. Its ranks update parts.
TaskCase LanguageModelAwd() {
  TaskCase one = LanguageModel();
  one.name = "language_model_awd";
  one.configuration =
      "data { lanes: 10 time_steps: 12 }\n"
      "model { embedding_size: 12 cell: LSTM layers: 2 hidden_size: 24 dropout: 0.1 "
      "locked_dropout: true input_dropout: 0.05 output_dropout: 0.1 weight_drop: 0.1 "
      "embedding_dropout: 0.05 }\n"
      "task { language_model { softmax_cutoffs: \"8,14\" activation_regularization: 0.02 "
      "temporal_activation_regularization: 0.01 vary_time_steps: true } }\n";
  one.settings = {"optimizer.averaging.ema.decay=0.8", "training.reduction.shard_optimizer=true"};
  return one;
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
      {},
      "forecast",
      {},
      // A stream of few series has few batches.
      {"data.lanes=3", "data.time_steps=2",
       fmt::format("model.hidden_size={}", name == "stream" ? 512 : 256)}};
}

// Each line "LABEL TAB TEXT".
std::string LabelTable() {
  const LabelledTexts all = SmallLabelledTexts(300);
  std::istringstream labels(all.labels), texts(all.texts);
  std::string table;
  for (std::string label, text; std::getline(labels, label) && std::getline(texts, text);) {
    table += label + "\t" + text + "\n";
  }
  return table;
}

TaskCase Classify() {
  return {"classify",
          "classify",
          "data { lanes: 10 }\n"
          "model { embedding_size: 12 cell: LSTM layers: 2 hidden_size: 16 dropout: 0.2 "
          "bidirectional: true }\n"
          "task { classify { pooling: ATTENTION label_weights: \"balanced\" label_smoothing: 0.1 "
          "} }\n",
          LabelTable(),
          {"labels", "--split", "60,20,20"},
          {},
          "predict",
          {"--tokens", "word"},
          {"data.lanes=2", "model.hidden_size=256"}};
}

// Every fourth line begins with a word that comes once.
std::string WithRareWords(const std::string& texts) {
  std::istringstream lines(texts);
  std::string all;
  int number = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    if (number % 4 == 0) line = fmt::format("rare{}{}", number, line.substr(line.find(' ')));
    all += line + "\n";
  }
  return all;
}

// Slots and intent together, in batches of about 100 tokens.
TaskCase Tag() {
  const LabelledTexts train = SmallLabelledTexts(240, 1), rest = SmallLabelledTexts(80, 2);
  return {"tag",
          "tag",
          "data { lanes: 10 tokens_per_batch: 100 unknown_singletons: 0.5 }\n"
          "model { embedding_size: 12 cell: GRU layers: 2 hidden_size: 16 dropout: 0.2 "
          "bidirectional: true residual: true locked_dropout: true weight_drop: 0.1 "
          "embedding_dropout: 0.05 }\n"
          "task { tag { crf: true pooling: MAX } }\n",
          "",
          {"tags", "--train", "a.in,a.out,a.label", "--validation", "b.in,b.out,b.label", "--test",
           "b.in,b.out,b.label"},
          {{"a.in", WithRareWords(train.texts)},
           {"a.out", train.tags},
           {"a.label", train.labels},
           {"b.in", rest.texts},
           {"b.out", rest.tags},
           {"b.label", rest.labels}},
          "predict",
          {},
          {"data.tokens_per_batch=40", "model.hidden_size=192"}};
}

// Each line "SOURCE TAB TARGET": some words of ten, and the same ones from the last to the first.
std::string PairTable(int count) {
  std::mt19937_64 random(6);
  std::string table;
  for (int i = 0; i < count; ++i) {
    std::string source, target;
    for (uint64_t words = 1 + random() % 7; words > 0; --words) {
      const std::string word = kWords[std::min(random() % 10, random() % 10)];
      source += source.empty() ? word : " " + word;
      target = target.empty() ? word : word + " " + target;
    }
    table += source + "\t" + target + "\n";
  }
  return table;
}

TaskCase Translate() {
  return {"translate",
          "translate",
          "data { lanes: 10 tokens_per_batch: 80 }\n"
          "model { embedding_size: 16 cell: LSTM layers: 2 hidden_size: 24 dropout: 0.2 "
          "bidirectional: true }\n"
          "task { translate { conditioning: LUONG label_smoothing: 0.1 "
          "search { beam: 2 most_tokens: 3 most_tokens_a_token: 1 } } }\n",
          PairTable(300),
          {"pairs", "--split", "60,20,20"},
          {},
          "predict",
          {"--tokens", "bpe", "--merges", "20"},
          {"data.tokens_per_batch=20", "model.hidden_size=160"}};
}

// Two numbers and a word, and a sentence that says what they are.
std::string CaptionTable(int count) {
  std::mt19937_64 random(7);
  std::string table = "size,weight,kind,text\n";
  for (int i = 0; i < count; ++i) {
    const int size = static_cast<int>(random() % 100), weight = static_cast<int>(random() % 1000);
    const char* kind = kWords[random() % 4];
    table +=
        fmt::format("{},{},{},{}{} {}{} {}\n", size, weight, kind, size % 50 < 10 ? "very " : "",
                    size < 50 ? "small" : "large", weight < 500 ? "and light" : "but heavy",
                    weight % 500 > 400 ? " as well" : "", kind);
  }
  return table;
}

TaskCase Caption() {
  return {"caption",
          "caption",
          "data { lanes: 10 }\n"
          "model { embedding_size: 12 cell: GRU layers: 2 hidden_size: 16 dropout: 0.2 }\n"
          "task { caption { conditioning: CONTEXT search { most_tokens: 10 } } }\n",
          CaptionTable(300),
          {"captions", "--features", "size,weight,kind", "--text", "text", "--split", "60,20,20"},
          {},
          "predict",
          {"--tokens", "word"},
          {"data.lanes=2", "model.hidden_size=160"}};
}

}  // namespace

LabelledTexts SmallLabelledTexts(int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  LabelledTexts all;
  for (int i = 0; i < count; ++i) {
    const auto length = static_cast<int>(3 + random() % 18);
    int the = 0, of = 0;
    for (int j = 0; j < length; ++j) {
      const uint64_t draw = std::min(random() % std::size(kWords), random() % std::size(kWords));
      // "of" and whatever follows "to" begin a span, which "in" and "and" prolong.
      const std::string word = kWords[draw];
      const bool begins = word == "of" || word == "to";
      const bool prolongs = (word == "in" || word == "and") && all.tags.ends_with("X ");
      all.tags += begins ? "B-X " : prolongs ? "I-X " : word == "a" ? "B-Y " : "O ";
      all.texts += word + " ";
      the += word == "the" ? 1 : 0;
      of += word == "of" ? 1 : 0;
    }
    for (std::string* line : {&all.tags, &all.texts}) line->back() = '\n';
    all.labels += the > of ? "the\n" : the < of ? "of\n" : "same\n";
  }
  return all;
}

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
      LanguageModel(),
      LanguageModelAwd(),
      Forecast("direct", "decoding: DIRECT huber { }", "LSTM"),
      Forecast("autoregressive", "decoding: AUTOREGRESSIVE gaussian { } normalization: MEAN",
               "LSTM"),
      Forecast("segments", "decoding: SEGMENTS segment_length: 4 channel_embedding: 6", "GRU"),
      Forecast("stream", "decoding: STREAM channels: TOGETHER student_t { } normalization: NONE",
               "GRU_RESET_BEFORE"),
      Classify(),
      Tag(),
      Translate(),
      Caption()};
  return kCases;
}

}  // namespace lockstep::trainer
