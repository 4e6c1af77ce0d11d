#include "trainer/tasks/forecast/series_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<CalendarFeature> CalendarOf(const std::string& names) {
  std::vector<CalendarFeature> features;
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, ',');) {
    std::erase(name, ' ');
    const auto feature = CalendarFeatureOfName(name);
    if (!feature) {
      throw UsageError(fmt::format("task.forecast.calendar names \"{}\"; allowed: {}", name,
                                   fmt::join(kCalendarFeatureNames, ", ")));
    }
    features.push_back(*feature);
  }
  return features;
}

}  // namespace

float SeriesData::Covariate::Scaled(float value) const {
  return std::isnan(value) ? 0.0f : static_cast<float>((value - mean) / deviation);
}

int32_t SeriesData::Covariate::Category(float value) const {
  if (std::isnan(value)) return -1;
  const auto own = static_cast<int32_t>(value);
  return places.empty() ? own : places[static_cast<size_t>(own)];
}

void SeriesData::Covariate::Adopt(const nlohmann::ordered_json& fact) {
  const std::vector<std::string> own = std::move(categories);
  categories = fact.at("categories").get<std::vector<std::string>>();
  mean = fact.at("mean");
  deviation = fact.at("deviation");
  if (own == categories) return;
  std::map<std::string, int32_t> numbers;
  for (const std::string& known : categories) {
    numbers.emplace(known, static_cast<int32_t>(numbers.size()));
  }
  for (const std::string& one : own) {
    const auto found = numbers.find(one);
    places.push_back(found == numbers.end() ? -1 : found->second);
  }
}

SeriesData::SeriesData(const std::filesystem::path& path, const proto::Forecast& config)
    : dataset_(
          io::SeriesDataset::Open(path, static_cast<uint64_t>(config.cache_megabytes()) << 20)),
      calendar_(CalendarOf(config.calendar())),
      category_embedding_(config.category_embedding()) {
  const io::SeriesDescription& description = dataset_.description();
  if (!calendar_.empty() && description.frequency.none()) {
    throw UsageError(fmt::format(
        "task.forecast.calendar is \"{}\", but {} has no time column. Import it with --time, or "
        "leave calendar empty.",
        config.calendar(), path.string()));
  }
  mask_inputs_ = description.missing == io::MissingMode::kMask;
  for (uint64_t i = 0; i < dataset_.series_count(); ++i) {
    means_.insert(means_.end(), dataset_.means(i).begin(), dataset_.means(i).end());
    deviations_.insert(deviations_.end(), dataset_.deviations(i).begin(),
                       dataset_.deviations(i).end());
  }
  for (const auto& known : description.known) {
    known_.push_back({known.name, known.categories});
  }
  for (const auto& fact : description.statics) {
    statics_.push_back({fact.name, fact.categories});
  }
  LearnCovariates();
}

std::span<const double> SeriesData::means(uint64_t series) const {
  return std::span(means_).subspan(series * channels(), channels());
}

std::span<const double> SeriesData::deviations(uint64_t series) const {
  return std::span(deviations_).subspan(series * channels(), channels());
}

// Covariates that are numbers are scaled, too: by mean and deviation over the series, of known ones
// over training rows. Of a million rows or more a part is enough, spread over series and time, the
// same one on every rank.
void SeriesData::LearnCovariates() {
  constexpr uint64_t kSeries = 1000, kRows = 1'000'000, kPiece = 64;
  struct Sums {
    double count = 0, sum = 0, squares = 0;
    void Add(double x) {
      if (std::isnan(x)) return;
      ++count, sum += x, squares += x * x;
    }
    void Finish(Covariate& covariate) const {
      if (covariate.categorical() || count == 0) return;
      covariate.mean = sum / count;
      const double variance = squares / count - covariate.mean * covariate.mean;
      covariate.deviation = variance > 1e-12 * squares / count ? std::sqrt(variance) : 1.0;
    }
  };
  const uint64_t series = dataset_.series_count(), width = dataset_.description().row_width();
  const auto C = static_cast<uint64_t>(channels());
  std::vector<Sums> known(known_.size()), statics(statics_.size());
  std::vector<float> rows;
  for (uint64_t i = 0; i < series && !statics_.empty(); ++i) {
    for (size_t a = 0; a < statics_.size(); ++a) statics[a].Add(dataset_.statics(i)[a]);
  }
  const uint64_t taken = known_.empty() ? 0 : std::min(series, kSeries);
  for (uint64_t n = 0; n < taken; ++n) {
    const io::Series& one = dataset_.series(n * series / taken);
    const uint64_t train = one.train_end - one.begin;
    const uint64_t pieces = (train + kPiece - 1) / kPiece;
    const uint64_t read = std::min(pieces, std::max<uint64_t>(1, kRows / taken / kPiece));
    for (uint64_t piece = 0; piece < read; ++piece) {
      const uint64_t first = piece * pieces / read * kPiece;
      rows.resize(std::min(kPiece, train - first) * width);
      dataset_.ReadRows(one.first_row + one.begin + first, rows);
      for (uint64_t at = 0; at < rows.size(); at += width) {
        for (size_t k = 0; k < known_.size(); ++k) known[k].Add(rows[at + C + k]);
      }
    }
  }
  for (size_t k = 0; k < known_.size(); ++k) known[k].Finish(known_[k]);
  for (size_t a = 0; a < statics_.size(); ++a) statics[a].Finish(statics_[a]);
}

void SeriesData::FillInputs(worker::ForecasterOptions& options) const {
  options.channels = channels();
  options.known_numeric = static_cast<int64_t>(calendar_.size());
  for (const Covariate& known : known_) {
    if (!known.categorical()) ++options.known_numeric;
    if (known.categorical()) options.known_categories.push_back(std::ssize(known.categories));
  }
  for (const Covariate& fact : statics_) {
    if (!fact.categorical()) ++options.static_numeric;
    if (fact.categorical()) options.static_categories.push_back(std::ssize(fact.categories));
  }
  options.category_embedding = category_embedding_;
  options.mask_inputs = mask_inputs_;
}

// Of all series alike.
nlohmann::ordered_json SeriesData::CommonFacts() const {
  const io::SeriesDescription& description = dataset_.description();
  nlohmann::ordered_json facts = {{"channels", description.channels},
                                  {"time", description.time},
                                  {"frequency", io::FrequencyText(description.frequency)},
                                  {"missing", io::MissingModeName(description.missing)},
                                  {"scaled", description.scaled}};
  const auto list = [](const std::vector<Covariate>& covariates) {
    auto json = nlohmann::ordered_json::array();
    for (const Covariate& one : covariates) {
      json.push_back({{"name", one.name},
                      {"categories", one.categories},
                      {"mean", one.mean},
                      {"deviation", one.deviation}});
    }
    return json;
  };
  facts["known"] = list(known_);
  facts["statics"] = list(statics_);
  return facts;
}

nlohmann::ordered_json SeriesData::Facts() const {
  nlohmann::ordered_json facts = CommonFacts();
  facts["series"] = nlohmann::ordered_json::array();
  for (uint64_t i = 0; i < dataset_.series_count(); ++i) {
    facts["series"].push_back(
        {{"id", dataset_.series(i).id},
         {"means", std::vector(means(i).begin(), means(i).end())},
         {"deviations", std::vector(deviations(i).begin(), deviations(i).end())}});
  }
  return facts;
}

void SeriesData::Adopt(const nlohmann::ordered_json& facts, const std::string& origin) {
  const nlohmann::ordered_json own = CommonFacts();
  const auto require = [&](const char* what, const nlohmann::ordered_json& here,
                           const nlohmann::ordered_json& there) {
    if (here == there) return;
    throw UsageError(
        fmt::format("{}: its {} are {}, but {} was trained with {}. Import it with the "
                    "same columns in the same roles.",
                    dataset_.path().string(), what, here.dump(), origin, there.dump()));
  };
  require("channels", own["channels"], facts.at("channels"));
  require("frequency", own["frequency"], facts.at("frequency"));
  require("scaled", own["scaled"], facts.at("scaled"));
  const auto adopt = [&](const char* what, std::vector<Covariate>& covariates) {
    const auto names = [](const nlohmann::ordered_json& list) {
      auto all = nlohmann::ordered_json::array();
      for (const auto& one : list) {
        const bool numeric = one.at("categories").empty();
        all.push_back(one.at("name").get<std::string>() + (numeric ? "" : " (categories)"));
      }
      return all;
    };
    require(what, names(own[what]), names(facts.at(what)));
    for (size_t k = 0; k < covariates.size(); ++k) covariates[k].Adopt(facts.at(what)[k]);
  };
  adopt("known", known_);
  adopt("statics", statics_);
  mask_inputs_ = facts.at("missing") == io::MissingModeName(io::MissingMode::kMask);
  std::map<std::string, const nlohmann::ordered_json*> by_id;
  for (const auto& one : facts.at("series")) by_id[one.at("id")] = &one;
  const auto C = static_cast<size_t>(channels());
  for (uint64_t i = 0; i < dataset_.series_count(); ++i) {
    const auto found = by_id.find(dataset_.series(i).id);
    if (found == by_id.end()) continue;
    for (size_t c = 0; c < C; ++c) {
      means_[i * C + c] = found->second->at("means").at(c);
      deviations_[i * C + c] = found->second->at("deviations").at(c);
    }
  }
}

SeriesData::Batch::Batch(const SeriesData& data) : data_(data) {
  worker::ForecasterOptions inputs;
  data.FillInputs(inputs);
  known_numeric_ = inputs.known_numeric;
  known_categorical_ = std::ssize(inputs.known_categories);
  static_numeric_ = inputs.static_numeric;
  static_categorical_ = std::ssize(inputs.static_categories);
}

void SeriesData::Batch::Prepare(int64_t items, int64_t time_steps, int64_t targets, int64_t known) {
  const int64_t C = data_.channels();
  items_ = items;
  time_steps_ = time_steps;
  history_.assign(time_steps * items * C, kNaN);
  targets_.assign(targets * items * C, kNaN);
  known_.assign(known * items * known_numeric_, 0.0f);
  known_categories_.assign(known * items * known_categorical_, -1);
  statics_.assign(items * static_numeric_, 0.0f);
  static_categories_.assign(items * static_categorical_, -1);
}

// Into place `slot` of rows_: those that there are, NaN in front of them and behind.
void SeriesData::Batch::ReadRows(uint64_t series, int64_t first, int64_t rows, int64_t slot) {
  const io::Series& one = data_.dataset_.series(series);
  const auto width = static_cast<int64_t>(data_.dataset_.description().row_width());
  const auto there = static_cast<int64_t>(one.rows + one.future_rows);
  const int64_t begin = std::clamp<int64_t>(first, 0, there);
  const int64_t end = std::clamp<int64_t>(first + rows, begin, there);
  rows_.resize(static_cast<size_t>(kSlots * rows * width));
  const std::span<float> all(rows_.data() + slot * rows * width, static_cast<size_t>(rows * width));
  const auto front = static_cast<size_t>((begin - first) * width);
  const auto count = static_cast<size_t>((end - begin) * width);
  std::ranges::fill(all.first(std::min(front, all.size())), kNaN);
  std::ranges::fill(all.subspan(std::min(front + count, all.size())), kNaN);
  if (count == 0) return;
  data_.dataset_.ReadRows(one.first_row + static_cast<uint64_t>(begin), all.subspan(front, count));
}

// Rows [from, from + rows) of the first slots of rows_, `stride` rows apart, to the first time
// steps of the items from `item`. Step by step, so that what is written lies side by side: item by
// item it took three times as long.
void SeriesData::Batch::PutValues(std::span<const uint64_t> series, int64_t stride, int64_t item,
                                  int64_t from, int64_t rows, std::vector<float>& out) const {
  const auto width = static_cast<int64_t>(data_.dataset_.description().row_width());
  const int64_t C = data_.channels();
  std::array<const double*, kSlots> means, deviations;
  for (size_t s = 0; s < series.size(); ++s) {
    means[s] = data_.means(series[s]).data();
    deviations[s] = data_.deviations(series[s]).data();
  }
  for (int64_t t = 0; t < rows; ++t) {
    float* to = out.data() + (t * items_ + item) * C;
    for (size_t s = 0; s < series.size(); ++s) {
      const float* in = rows_.data() + (static_cast<int64_t>(s) * stride + from + t) * width;
      for (int64_t c = 0; c < C; ++c) {
        *to++ = static_cast<float>((in[c] - means[s][c]) / deviations[s][c]);
      }
    }
  }
}

// Of slot `slot`, whose rows begin at `first_row` of the series.
void SeriesData::Batch::PutKnown(uint64_t series, int64_t slot, int64_t stride, int64_t item,
                                 int64_t from, int64_t rows, int64_t first_row) {
  const io::SeriesDescription& description = data_.dataset_.description();
  const auto width = static_cast<int64_t>(description.row_width());
  const int64_t C = data_.channels();
  const int64_t start = data_.dataset_.series(series).start;
  for (int64_t t = 0; t < rows; ++t) {
    const int64_t place = t * items_ + item;
    float* number = known_.data() + place * known_numeric_;
    int32_t* category = known_categories_.data() + place * known_categorical_;
    for (int64_t k = 0; k < std::ssize(data_.known_); ++k) {
      const Covariate& known = data_.known_[k];
      const float value = rows_[(slot * stride + from + t) * width + C + k];
      if (!known.categorical()) *number++ = known.Scaled(value);
      if (known.categorical()) *category++ = known.Category(value);
    }
    if (data_.calendar_.empty()) continue;
    const int64_t time = io::TimeAt(start, description.frequency, first_row + from + t);
    for (const CalendarFeature feature : data_.calendar_) *number++ = CalendarValue(feature, time);
  }
}

void SeriesData::Batch::PutStatics(uint64_t series, int64_t item) {
  if (data_.statics_.empty()) return;
  const auto values = data_.dataset_.statics(series);
  float* number = statics_.data() + item * static_numeric_;
  int32_t* category = static_categories_.data() + item * static_categorical_;
  for (size_t a = 0; a < data_.statics_.size(); ++a) {
    const Covariate& fact = data_.statics_[a];
    if (!fact.categorical()) *number++ = fact.Scaled(values[a]);
    if (fact.categorical()) *category++ = fact.Category(values[a]);
  }
}

void SeriesData::Batch::ReadWindows(std::span<const Window> windows, int64_t history,
                                    int64_t horizon) {
  pieces_ = false;
  Prepare(std::ssize(windows), history, horizon, history + horizon);
  const bool with_known = !data_.known_.empty() || !data_.calendar_.empty();
  const int64_t rows = history + horizon;
  // Windows lie anywhere in memory: the wait for the next ones is spent on these.
  const auto prefetch = [&](int64_t begin) {
    for (int64_t b = begin; b < std::min(items_, begin + kSlots); ++b) {
      const io::Series& one = data_.dataset_.series(windows[b].series);
      const uint64_t end =
          std::min(one.rows, windows[b].first_target + static_cast<uint64_t>(horizon));
      const uint64_t first = end - std::min(end, static_cast<uint64_t>(rows));
      data_.dataset_.Prefetch(one.first_row + first, end - first);
    }
  };
  prefetch(0);
  for (int64_t begin = 0; begin < items_; begin += kSlots) {
    prefetch(begin + kSlots);
    std::vector<uint64_t> series;
    for (int64_t b = begin; b < std::min(items_, begin + kSlots); ++b) {
      const Window& window = windows[b];
      const int64_t first = static_cast<int64_t>(window.first_target) - history;
      ReadRows(window.series, first, rows, b - begin);
      if (with_known) PutKnown(window.series, b - begin, rows, b, 0, rows, first);
      PutStatics(window.series, b);
      series.push_back(window.series);
    }
    PutValues(series, rows, begin, 0, history, history_);
    PutValues(series, rows, begin, history, horizon, targets_);
  }
}

// The known covariates of a step are those of its target.
void SeriesData::Batch::ReadPieces(std::span<const Piece> pieces, int64_t time_steps) {
  pieces_ = true;
  Prepare(std::ssize(pieces), time_steps, time_steps, time_steps);
  const bool with_known = !data_.known_.empty() || !data_.calendar_.empty();
  for (int64_t b = 0; b < items_; ++b) {
    const Piece& piece = pieces[b];
    const auto targets = static_cast<int64_t>(piece.targets);
    if (targets == 0) continue;
    ReadRows(piece.series, static_cast<int64_t>(piece.first), targets + 1, 0);
    PutValues({&piece.series, 1}, 0, b, 0, targets, history_);
    PutValues({&piece.series, 1}, 0, b, 1, targets, targets_);
    if (with_known) {
      PutKnown(piece.series, 0, 0, b, 1, targets, static_cast<int64_t>(piece.first));
    }
    PutStatics(piece.series, b);
  }
}

worker::ForecastBatch SeriesData::Batch::view() const {
  worker::ForecastBatch view;
  view.items = items_;
  view.time_steps = pieces_ ? time_steps_ : 0;
  view.history = history_.data();
  view.targets = targets_.data();
  view.known = known_.data();
  view.known_categories = known_categories_.data();
  view.statics = statics_.data();
  view.static_categories = static_categories_.data();
  return view;
}

int64_t SeriesData::Batch::targets() const {
  return std::ranges::count_if(targets_, [](float value) { return !std::isnan(value); });
}

}  // namespace lockstep::trainer
