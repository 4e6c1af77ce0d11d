#ifndef LOCKSTEP_IO_RUN_METRICS_LOG_H_
#define LOCKSTEP_IO_RUN_METRICS_LOG_H_

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::io {

/// One line of metrics.jsonl. Losses are means over predictions.
struct StepMetrics {
  int64_t step = 0;   ///< counted from 1
  int64_t epoch = 0;  ///< counted from 1
  double loss = 0;
  double gradient_norm = 0;  ///< before clipping
  double learning_rate = 0;
  double predictions_per_second = 0;                       ///< over all ranks
  std::string unit;                                        ///< of predictions: "tokens"
  std::vector<std::pair<std::string, double>> validation;  ///< names without "validation_"
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

  /// Each line reaches the operating system before the call returns. Where it cannot be written, it
  /// and all that follow wait for the next Sync, which says so.
  void Write(const StepMetrics& metrics);

  /// Waits until all lines are durable. To be called before a checkpoint appears: what comes before
  /// a checkpoint is never written again. SystemError when a line could not be written or made
  /// durable; then none is lost, and the next call writes them again. Another thread may call it
  /// than Write's, which hardly waits for it.
  void Sync();

 private:
  void WriteWaiting();
  int SyncFile() const;
  void NoteSynced(size_t bytes, int error_number);

  std::filesystem::path path_;
  int file_ = -1;
  std::mutex mutex_;  // of all that follows
  bool syncing_ = false;
  uint64_t durable_bytes_ = 0;  // of the file
  std::string waiting_;         // the lines behind them
  size_t written_bytes_ = 0;    // of waiting_
  int error_number_ = 0;  // why the rest of waiting_ is not written, or none of it may be durable
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_RUN_METRICS_LOG_H_
