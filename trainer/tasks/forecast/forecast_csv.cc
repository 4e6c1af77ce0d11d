#include "trainer/tasks/forecast/forecast_csv.h"

#include <charconv>
#include <cmath>
#include <stdexcept>

namespace lockstep::trainer {
namespace {

// A field with a separator, a quote or the end of a line in it is quoted, its quotes doubled.
void AppendField(std::string& line, std::string_view field) {
  if (field.find_first_of(",\"\r\n") == field.npos) {
    line += field;
    return;
  }
  line += '"';
  for (const char c : field) {
    if (c == '"') line += '"';
    line += c;
  }
  line += '"';
}

void AppendNumber(std::string& line, double number) {
  if (std::isnan(number)) return;
  char text[32];
  line.append(text,
              std::to_chars(text, text + sizeof text, number, std::chars_format::general, 10).ptr);
}

void AppendExact(std::string& line, float number) {
  if (std::isnan(number)) return;
  char text[32];
  line.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

}  // namespace

ForecastCsv::ForecastCsv(std::ostream& out, std::span<const double> levels, bool with_truth)
    : out_(out), levels_(levels.size()), with_truth_(with_truth) {
  line_ = "time,series,channel,mean";
  for (const double level : levels) {
    line_ += ",q";
    AppendNumber(line_, level);
  }
  if (with_truth) line_ += ",truth";
  out_ << (line_ += '\n');
}

void ForecastCsv::Row(std::string_view time, std::string_view series, std::string_view channel,
                      double mean, std::span<const double> quantiles, float truth) {
  if (quantiles.size() != levels_) {
    throw std::invalid_argument("forecast CSV: a row needs a quantile for each level");
  }
  line_.clear();
  for (const std::string_view field : {time, series, channel}) {
    AppendField(line_, field);
    line_ += ',';
  }
  AppendNumber(line_, mean);
  for (const double quantile : quantiles) {
    line_ += ',';
    AppendNumber(line_, quantile);
  }
  if (with_truth_) {
    line_ += ',';
    AppendExact(line_, truth);
  }
  out_ << (line_ += '\n');
}

}  // namespace lockstep::trainer
