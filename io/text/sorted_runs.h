#ifndef LOCKSTEP_IO_TEXT_SORTED_RUNS_H_
#define LOCKSTEP_IO_TEXT_SORTED_RUNS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/files/file_descriptor.h"

namespace lockstep::io {

/// A token and how often it occurred.
struct TokenCount {
  std::string_view token;
  uint64_t count = 0;
};

/// Lists of counted tokens, each sorted by the tokens' bytes, in a temporary file; read back
/// merged. The file has no name (see OpenNameless).
class SortedRuns {
 public:
  /// Creates the file at the first run. `folder` must exist by then. `memory_bytes` bounds the
  /// buffers of a merge.
  SortedRuns(std::filesystem::path folder, size_t memory_bytes);
  SortedRuns(const SortedRuns&) = delete;
  SortedRuns& operator=(const SortedRuns&) = delete;

  bool empty() const { return runs_.empty(); }

  /// Adds a run. Requires `counts` to be sorted, each token once. SystemError when it cannot be
  /// written.
  void Add(std::span<const TokenCount> counts);

  /// Calls `visit` once for each distinct token, in the order of its bytes, with the sum of its
  /// counts. SystemError when the file cannot be read.
  void Merge(const std::function<void(TokenCount)>& visit) const;

  /// Forgets all runs and gives the room on the disk back.
  void Clear();

 private:
  /// A run's place in the file.
  struct Extent {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  class Writer;
  class Reader;

  /// Turns all runs into one, so that their number stays bounded.
  void MergeIntoOne();

  std::filesystem::path folder_;
  size_t memory_bytes_;
  FileDescriptor file_;
  uint64_t end_ = 0;
  std::vector<Extent> runs_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_SORTED_RUNS_H_
