#ifndef LOCKSTEP_IO_SEQUENCES_IMPORT_METER_H_
#define LOCKSTEP_IO_SEQUENCES_IMPORT_METER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

#include "io/sequences/sequence_import.h"

namespace lockstep::io {

/// Tells the caller where the import stands, not too often.
class ImportMeter {
 public:
  using Report = std::function<void(const SequenceImportProgress&)>;

  /// `report` may be empty and must outlive this.
  explicit ImportMeter(const Report& report) : report_(report) {}

  void Start(std::string_view stage, uint64_t total) {
    now_.stage = stage;
    now_.total = total;
    now_.done = 0;
  }
  void Advance(uint64_t done, uint64_t examples) {
    now_.done = done;
    now_.examples = examples;
    if (Clock::now() - reported_ >= std::chrono::milliseconds(250)) Tell();
  }
  /// The stage ends.
  void Tell() {
    reported_ = Clock::now();
    if (report_) report_(now_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  const Report& report_;
  SequenceImportProgress now_;
  Clock::time_point reported_ = Clock::now();
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_IMPORT_METER_H_
