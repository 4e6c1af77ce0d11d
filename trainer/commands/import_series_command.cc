#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "io/datasets/series_dataset.h"
#include "io/series/time_text.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/import_progress.h"

namespace lockstep::trainer {
namespace {

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void Report(Console& console, const io::SeriesImportOptions& options,
            const io::SeriesImportResult& result, double seconds) {
  console.Info(fmt::format(
      "{}: {} rows of {} series x {} channels from {} file(s), {:.1f} MB, in {:.1f} s ({:.0f} "
      "MB/s); frequency {}; rows to train {}, validate {}, test {}; fingerprint {}",
      options.output.string(), result.rows, result.series, result.channels, result.files,
      Megabytes(result.bytes), seconds, Megabytes(result.bytes) / std::max(1e-9, seconds),
      io::FrequencyText(result.frequency), result.train_rows, result.validation_rows,
      result.test_rows, result.fingerprint));
  if (result.left_out_rows > 0) {
    console.Info(fmt::format("{} rows behind --split-rows are left out", result.left_out_rows));
  }
  if (result.future_rows > 0) {
    console.Info(fmt::format("{} rows hold known covariates of the future", result.future_rows));
  }
  if (result.missing_values > 0 || result.filled_rows > 0) {
    console.Info(fmt::format("{} missing values and {} missing rows ({})", result.missing_values,
                             result.filled_rows,
                             options.missing == io::MissingMode::kMask ? "masked" : "filled"));
    if (options.missing == io::MissingMode::kInterpolate) {
      console.Warn(
          "a value that stands on a line to the value behind it knows of the future: forecasts "
          "that "
          "begin in such a gap look better than they are");
    }
  }
}

// What is right for most data and wrong for some, without a sign of it.
void WarnOfMisreadings(Console& console, const std::filesystem::path& path) {
  constexpr int64_t kEarly = 100'000'000;  // 1973
  constexpr double kFloatStep = 0x1.0p-24;
  const io::SeriesDataset dataset = io::SeriesDataset::Open(path);
  const io::Series& first = dataset.series(0);
  if (!dataset.description().frequency.none() && first.start > 0 && first.start < kEarly) {
    console.Warn(fmt::format(
        "the first time is {}: whole numbers are seconds since 1970. If they mean years or days, "
        "write them as dates (1949-01-01).",
        io::TimeText(first.start)));
  }
  uint64_t coarse = 0;
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    const auto means = dataset.means(i), deviations = dataset.deviations(i);
    for (size_t c = 0; c < means.size(); ++c) {
      coarse += std::abs(means[c]) * kFloatStep > 1e-3 * deviations[c] ? 1 : 0;
    }
  }
  if (coarse > 0) {
    console.Warn(fmt::format(
        "{} channel(s) of series vary so little beside their size that the 24 bits of a stored "
        "value do not tell them well: subtract a constant before the import",
        coarse));
  }
}

}  // namespace

ExitStatus ImportSeries(const ImportSeriesArguments& arguments) {
  Console console(false, arguments.progress);
  ImportProgress progress(console);
  const auto show = [&](const io::SeriesImportProgress& p) {
    const std::string share =
        p.bytes_total > 0 ? fmt::format(" {:.0f}%", 100.0 * static_cast<double>(p.bytes_done) /
                                                        static_cast<double>(p.bytes_total))
                          : "";
    const std::string line =
        fmt::format("{}{}  {:.0f} MB  {} rows", p.pass == 1 ? "reading" : "writing", share,
                    Megabytes(p.bytes_done), p.rows);
    progress.Show(line);
  };
  const io::SeriesImportResult result = io::ImportSeries(arguments.options, show);
  console.EndLive();
  Report(console, arguments.options, result, progress.seconds());
  WarnOfMisreadings(console, arguments.options.output);
  return kDone;
}

}  // namespace lockstep::trainer
