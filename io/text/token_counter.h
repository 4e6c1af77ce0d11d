#ifndef LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_
#define LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <memory_resource>
#include <string_view>
#include <unordered_map>

#include "io/text/sorted_runs.h"

namespace lockstep::io {

/// Counts tokens exactly, however many different ones there are: in a hash table up to a bound,
/// then in sorted runs on disk.
class TokenCounter {
 public:
  /// `folder` must exist; it takes the temporary file, if one is needed. `memory_bytes` is what the
  /// counter may use.
  TokenCounter(std::filesystem::path folder, size_t memory_bytes);

  /// SystemError on a full disk. The token needs to be smaller than a quarter of the memory.
  void Add(std::string_view token);

  /// Calls `visit` once for each distinct token, in the order of its bytes, and forgets them all.
  /// What it is given is valid during the call only.
  void Drain(const std::function<void(TokenCount)>& visit);

 private:
  using Table = std::pmr::unordered_map<std::string_view, uint64_t>;

  void Insert(std::string_view token);
  /// Calls `use` with the table's contents, sorted, and empties it.
  void EmptyTable(const std::function<void(std::span<const TokenCount>)>& use);
  void StartTable();

  size_t table_bytes_;
  std::unique_ptr<std::byte[]> arena_memory_;
  std::unique_ptr<std::pmr::monotonic_buffer_resource> arena_;
  std::unique_ptr<Table> table_;  // keys and nodes are in the arena
  size_t used_bytes_ = 0;
  SortedRuns runs_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_
