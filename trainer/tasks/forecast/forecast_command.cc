#include "trainer/tasks/forecast/forecast_command.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "trainer/tasks/forecast/forecast_plot.h"
#include "trainer/tasks/forecast/forecast_prediction.h"
#include "trainer/tasks/forecast/forecast_results.h"
#include "trainer/tasks/forecast/forecast_starts.h"
#include "trainer/terminal/output_file.h"

namespace lockstep::trainer {
namespace {

// Where the table goes; empty: nowhere.
std::filesystem::path TablePath(const ForecastArguments& arguments) {
  if (arguments.csv == "-" && arguments.plot == "-") {
    throw UsageError("--csv - and --plot -: standard output takes one of them. Name a file.");
  }
  return arguments.csv.empty() && arguments.plot.empty() ? "-" : arguments.csv;
}

void WarnOfUnknownSeries(const ForecastData& data, Console& console) {
  if (data.unknown.empty()) return;
  const uint64_t all = data.series->dataset().series_count();
  console.Warn(fmt::format(
      "{}: the model was not trained on {} of {} series (such as \"{}\"): they are scaled by the "
      "mean and deviation of their own rows",
      data.name, data.unknown.size(), all, data.unknown.front()));
}

std::vector<Window> WindowsOf(const ForecastArguments& arguments, const ForecastData& data,
                              const worker::ForecasterOptions& options, Console& console) {
  const io::SeriesDataset& dataset = data.series->dataset();
  const std::vector<uint64_t> series = ChosenSeries(dataset, arguments.series);
  const ForecastNeeds needs = {options.history, options.horizon, options.mask_inputs};
  if (arguments.backtest) return WindowsOfBacktest(dataset, data.name, series, needs);
  std::string left_out;
  std::vector<Window> windows = WindowsPastTheEnd(dataset, data.name, series, needs, &left_out);
  if (!left_out.empty()) console.Warn("left out: " + left_out);
  return windows;
}

// The last window of each series, as long as they are drawn.
class Picture {
 public:
  Picture(const std::filesystem::path& path, const io::SeriesDataset& dataset,
          const ForecastResultOptions& options)
      : dataset_(dataset), options_(options), file_(path) {}

  void Add(const PredictedWindow& predicted, bool last_of_series) {
    if (!last_of_series) return;
    total_ += std::ssize(dataset_.description().channels);
    if (panels_.size() >= kMostForecastPanels) return;
    for (ForecastPanel& panel : ForecastPanels(predicted, dataset_, options_)) {
      panels_.push_back(std::move(panel));
    }
  }

  void Finish() {
    file_.Write(ForecastPlot(panels_, total_));
    file_.Finish();
  }

 private:
  const io::SeriesDataset& dataset_;
  const ForecastResultOptions options_;
  OutputFile file_;
  std::vector<ForecastPanel> panels_;
  int64_t total_ = 0;
};

std::string Summary(const ForecastArguments& arguments, const std::vector<Window>& windows,
                    int64_t series, const worker::ForecasterOptions& options) {
  std::string text = fmt::format("{} rows of {} channel(s) of {} series forecast", options.horizon,
                                 options.channels, series);
  if (arguments.backtest) text += fmt::format(" in {} windows of the test split", windows.size());
  std::string places;
  for (const std::filesystem::path& path : {TablePath(arguments), arguments.plot}) {
    if (path.empty()) continue;
    places += places.empty() ? ": " : ", ";
    places += path == "-" ? "standard output" : path.string();
  }
  return text + places;
}

}  // namespace

ExitStatus Forecast(const ForecastArguments& arguments) {
  Console console(false, arguments.progress);
  const std::filesystem::path table_path = TablePath(arguments);
  const ForecasterCheckpoint checkpoint(arguments.checkpoint);
  const ForecastData data = OpenForecastData(arguments.source, checkpoint);
  const io::SeriesDataset& dataset = data.series->dataset();
  WarnOfUnknownSeries(data, console);
  const auto model = checkpoint.Load(*data.series);
  const std::vector<Window> windows = WindowsOf(arguments, data, model->options(), console);

  ForecastPredictor predictor(*model, *data.series, arguments.samples, arguments.seed);
  const ForecastResultOptions options = {model->options().horizon, predictor.levels(),
                                         arguments.backtest};
  std::optional<ForecastTable> table;
  if (!table_path.empty()) table.emplace(table_path, dataset, options);
  std::optional<Picture> picture;
  if (!arguments.plot.empty()) picture.emplace(arguments.plot, dataset, options);
  size_t done = 0;
  int64_t series = 0;
  predictor.Predict(windows, [&](const PredictedWindow& predicted) {
    ++done;
    const bool last = done == windows.size() || windows[done].series != predicted.window.series;
    series += last ? 1 : 0;
    if (table) table->Add(predicted);
    if (picture) picture->Add(predicted, last);
    console.Live(fmt::format("forecasting {}%", 100 * done / windows.size()));
  });
  console.EndLive();
  if (table) table->Finish();
  if (picture) picture->Finish();
  console.Info(Summary(arguments, windows, series, model->options()));
  return kDone;
}

}  // namespace lockstep::trainer
