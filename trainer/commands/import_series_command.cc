#include <chrono>

#include <fmt/format.h>

#include "trainer/commands/commands.h"

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
  }
}

}  // namespace

ExitStatus ImportSeries(const ImportSeriesArguments& arguments) {
  using Clock = std::chrono::steady_clock;
  constexpr double kPlainSeconds = 10.0;
  Console console(false, arguments.progress);
  const auto start = Clock::now();
  auto line_at = start;
  const auto seconds_since = [](Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  };
  const auto show = [&](const io::SeriesImportProgress& p) {
    const std::string share =
        p.bytes_total > 0 ? fmt::format(" {:.0f}%", 100.0 * static_cast<double>(p.bytes_done) /
                                                        static_cast<double>(p.bytes_total))
                          : "";
    const std::string line =
        fmt::format("{}{}  {:.0f} MB  {} rows", p.pass == 1 ? "reading" : "writing", share,
                    Megabytes(p.bytes_done), p.rows);
    console.Live(line);
    if (!console.live() && seconds_since(line_at) >= kPlainSeconds) {
      line_at = Clock::now();
      console.Info(line);
    }
  };
  const io::SeriesImportResult result = io::ImportSeries(arguments.options, show);
  console.EndLive();
  Report(console, arguments.options, result, seconds_since(start));
  return kDone;
}

}  // namespace lockstep::trainer
