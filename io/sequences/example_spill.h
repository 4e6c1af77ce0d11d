#ifndef LOCKSTEP_IO_SEQUENCES_EXAMPLE_SPILL_H_
#define LOCKSTEP_IO_SEQUENCES_EXAMPLE_SPILL_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "io/files/file_descriptor.h"

namespace lockstep::io {

/// Records of bytes, kept in their order. What a bounded memory does not hold lies in a file
/// without a name, which is gone when this is.
class ExampleSpill {
 public:
  /// The file is made in `folder` when it is needed.
  ExampleSpill(std::filesystem::path folder, uint64_t memory_bytes);

  /// SystemError on a full disk. Less than 4 GB.
  void Add(std::string_view record);
  uint64_t size() const { return size_; }

  /// Calls `visit` with each record, in order; valid during the call only. SystemError.
  void Visit(const std::function<void(uint64_t index, std::string_view record)>& visit) const;

 private:
  void Flush();

  std::filesystem::path folder_;
  uint64_t memory_bytes_;
  uint64_t size_ = 0;
  FileDescriptor file_;
  uint64_t file_bytes_ = 0;
  std::string rest_;  // behind what is in the file
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_EXAMPLE_SPILL_H_
