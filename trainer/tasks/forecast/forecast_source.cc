#include "trainer/tasks/forecast/forecast_source.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <stdlib.h>

#include "io/files/file_descriptor.h"
#include "io/files/seal.h"
#include "io/series/series_import.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

namespace fs = std::filesystem;

// Gone with all that it holds at the end. What is still open of it can be read on.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "lockstep-forecast-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) io::ThrowWriteFailure(name, errno);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// The columns of a checkpoint's facts.
io::SeriesDescription DescriptionOf(const nlohmann::ordered_json& facts) {
  const auto covariates = [](const nlohmann::ordered_json& list) {
    std::vector<io::SeriesCovariate> all;
    for (const auto& one : list) all.push_back({one.at("name"), one.at("categories")});
    return all;
  };
  io::SeriesDescription description;
  description.channels = facts.at("channels").get<std::vector<std::string>>();
  description.known = covariates(facts.at("known"));
  description.statics = covariates(facts.at("statics"));
  description.time = facts.at("time");
  description.frequency = io::FrequencyFromText(facts.at("frequency").get<std::string>()).value();
  description.missing = io::MissingModeFromName(facts.at("missing").get<std::string>()).value();
  description.scaled = facts.at("scaled");
  return description;
}

bool HasNamedSeries(const nlohmann::ordered_json& facts) {
  return std::ranges::any_of(facts.at("series"), [](const auto& one) {
    return !one.at("id").template get<std::string>().empty();
  });
}

io::SeriesImportOptions ImportOptions(const ForecastSource& source,
                                      const ForecasterCheckpoint& checkpoint) {
  const nlohmann::ordered_json& facts = checkpoint.facts();
  if (!source.series_column && HasNamedSeries(facts)) {
    throw UsageError(fmt::format(
        "--data {}: {} was trained on series with names. Name the column of the table that holds "
        "them with --series-column (\"\" where all rows are of one series).",
        source.data.string(), checkpoint.origin()));
  }
  io::SeriesImportOptions options;
  options.paths = {source.data};
  options.like = DescriptionOf(facts);
  options.series = source.series_column.value_or("");
  options.missing = options.like->missing;
  options.scale = options.like->scaled;
  options.split_shares = {100};
  options.decimal_comma = source.decimal_comma;
  return options;
}

std::unique_ptr<SeriesData> OpenTable(const ForecastSource& source,
                                      const ForecasterCheckpoint& checkpoint) {
  io::SeriesImportOptions options = ImportOptions(source, checkpoint);
  const TemporaryFolder folder;
  options.output = folder.path() / "series.h5";
  io::ImportSeries(options);
  return std::make_unique<SeriesData>(options.output, checkpoint.forecast());
}

std::unique_ptr<SeriesData> OpenOwnDataset(const ForecasterCheckpoint& checkpoint) {
  const fs::path path = checkpoint.config().data().path();
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw UsageError(
        fmt::format("{}: the dataset that {} was trained on is not there. Name it, or other data "
                    "with the same columns, with --data.",
                    path.string(), checkpoint.origin()));
  }
  return std::make_unique<SeriesData>(path, checkpoint.forecast());
}

void RequireTheSameFrequency(const ForecastData& data, const ForecasterCheckpoint& checkpoint) {
  const std::string here = io::FrequencyText(data.series->dataset().description().frequency);
  const std::string there = checkpoint.facts().at("frequency");
  if (here == there) return;
  throw UsageError(fmt::format("{}: the frequency of its rows is {}, but {} was trained on {}.",
                               data.name, here, checkpoint.origin(), there));
}

}  // namespace

ForecastData OpenForecastData(const ForecastSource& source,
                              const ForecasterCheckpoint& checkpoint) {
  ForecastData data;
  if (source.data.empty()) {
    data.series = OpenOwnDataset(checkpoint);
    data.name = checkpoint.config().data().path();
  } else if (source.data != "-" && io::LooksLikeOurs(source.data)) {
    data.series = std::make_unique<SeriesData>(source.data, checkpoint.forecast());
    data.name = source.data.string();
  } else {
    data.series = OpenTable(source, checkpoint);
    data.name = source.data == "-" ? "standard input" : source.data.string();
  }
  RequireTheSameFrequency(data, checkpoint);
  data.series->Adopt(checkpoint.facts(), checkpoint.origin());
  std::set<std::string> known;
  for (const auto& one : checkpoint.facts().at("series")) known.insert(one.at("id"));
  const io::SeriesDataset& dataset = data.series->dataset();
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    if (!known.contains(dataset.series(i).id)) data.unknown.push_back(dataset.series(i).id);
  }
  return data;
}

}  // namespace lockstep::trainer
