#ifndef LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_
#define LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "io/text/sorted_runs.h"
#include "io/text/text_map.h"

namespace lockstep::io {

/// Counts tokens exactly, however many different ones there are: in a hash table up to a bound,
/// then in sorted runs on disk.
class TokenCounter {
 public:
  /// `folder` must exist; it takes the temporary file, if one is needed. `memory_bytes` is what the
  /// counter may use.
  TokenCounter(std::filesystem::path folder, size_t memory_bytes);

  /// SystemError on a full disk. The token needs to be smaller than a quarter of the memory.
  void Add(std::string_view token, uint64_t count = 1);

  /// One of each.
  void Add(std::span<const std::string_view> tokens);

  /// Adds what `other` has counted, and empties it.
  void Add(TokenCounter* other);

  /// Calls `visit` once for each distinct token, in the order of its bytes, and forgets them all.
  /// What it is given is valid during the call only.
  void Drain(const std::function<void(TokenCount)>& visit);

 private:
  void Insert(std::string_view token, uint64_t count);
  /// Calls `use` with the table's contents, sorted, and empties it.
  void EmptyTable(const std::function<void(std::span<const TokenCount>)>& use);

  size_t table_bytes_;
  TextMap table_;
  SortedRuns runs_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_
