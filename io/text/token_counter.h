#ifndef LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_
#define LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "io/text/sorted_runs.h"
#include "io/text/text_map.h"
#include "io/text/token_record.h"

namespace lockstep::io {

/// Counts tokens exactly, however many different ones there are: in hash tables up to a bound, then
/// in sorted runs on disk. Those that come first have codes for a TokenRecord: of a text's tokens
/// nearly all are among them.
class TokenCounter {
 public:
  /// `folder` must exist; it takes the temporary file, if one is needed. `memory_bytes` is what the
  /// counter may use. Tokens of more than `longest_bytes` are not counted and have no code.
  TokenCounter(std::filesystem::path folder, size_t memory_bytes,
               size_t longest_bytes = std::numeric_limits<size_t>::max());

  /// SystemError on a full disk. The token needs to be smaller than a quarter of the memory.
  void Add(std::string_view token, uint64_t count = 1);

  /// One of each of the first `counted` tokens. `codes`, unless it is null: what stands for each of
  /// all of them is appended there.
  void Add(std::span<const std::string_view> tokens, size_t counted,
           std::vector<TokenCode>* codes = nullptr);

  /// Adds what `other` has counted, and empties it.
  void Add(TokenCounter* other);

  /// Calls `visit` once for each distinct token that was counted, in the order of its bytes, and
  /// forgets the counts. What it is given is valid during the call only.
  void Drain(const std::function<void(TokenCount)>& visit);

  /// The tokens that have codes, in the order of these, also those that were not counted; for as
  /// long as no other one is added.
  std::vector<std::string_view> Coded();

 private:
  /// One that is in neither table: where it has a code now, that, else kTextFollows.
  TokenCode Insert(std::string_view token, uint64_t count);
  void AddToRest(std::string_view token, uint64_t count);
  /// What the tables hold when another text of so many bytes comes to `added`.
  size_t BytesWith(const TextMap& added, size_t text_bytes) const;
  /// Appends the counts of a table, sorted; those of coded_ are zero then.
  std::vector<TokenCount> TakeCoded();
  std::vector<TokenCount> CountsOfRest();
  void EmptyRest();

  size_t table_bytes_, longest_bytes_;
  TextMap coded_;  // 2^16 times the count, and the code
  TextMap rest_;   // the count
  SortedRuns runs_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TOKEN_COUNTER_H_
