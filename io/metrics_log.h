#ifndef LOCKSTEP_IO_METRICS_LOG_H_
#define LOCKSTEP_IO_METRICS_LOG_H_

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace lockstep::io {

/// One line of metrics.jsonl. Losses are means in nats a token.
struct StepMetrics {
  int64_t step = 0;   ///< counted from 1
  int64_t epoch = 0;  ///< counted from 1
  double loss = 0;
  double gradient_norm = 0;  ///< before clipping
  double learning_rate = 0;
  double tokens_per_second = 0;  ///< over all ranks
  std::optional<double> validation_loss;
};

/// Appends one JSON object a line; floats carry all their digits (they read back to the same bits).
/// A number that is not finite, which JSON does not know, is null.
class MetricsLog {
 public:
  /// Opens for appending after cutting away everything after step `last_step` (what a killed run
  /// wrote beyond the checkpoint that is resumed; also a half-written last line), atomically.
  /// last_step 0 starts anew. InputError when the folder is missing or not writable, or when the
  /// file is of somebody else.
  MetricsLog(const std::filesystem::path& path, int64_t last_step);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// SystemError when the line cannot be written. Each line reaches the operating system before the
  /// call returns.
  void Write(const StepMetrics& metrics);

  /// Waits until all lines are durable. To be called before a checkpoint appears: what comes before
  /// a checkpoint is never written again. SystemError.
  void Sync();

 private:
  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_METRICS_LOG_H_
