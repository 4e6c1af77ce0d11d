#ifndef LOCKSTEP_IO_TEXT_TOKEN_RECORD_H_
#define LOCKSTEP_IO_TEXT_TOKEN_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "io/files/file_descriptor.h"

namespace lockstep::io {

/// A token's number among those that a TokenCounter met first.
using TokenCode = uint16_t;
/// Instead of a code: the token itself follows.
inline constexpr TokenCode kTextFollows = std::numeric_limits<TokenCode>::max();
/// Codes are below this.
inline constexpr size_t kMostCodes = kTextFollows;

/// Appends a token that has no code: kTextFollows, its bytes' number in two halves, the lower one
/// first, and its bytes, with one more where they are odd.
void AppendText(std::string_view token, std::vector<TokenCode>* codes);

/// Calls with_code(code) or with_text(token) for each token in turn.
template <class WithCode, class WithText>
void ForEachToken(std::span<const TokenCode> codes, const WithCode& with_code,
                  const WithText& with_text) {
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] != kTextFollows) {
      with_code(codes[i]);
      continue;
    }
    const size_t bytes = codes[i + 1] | size_t{codes[i + 2]} << 16;
    with_text(std::string_view(reinterpret_cast<const char*>(&codes[i + 3]), bytes));
    i += 2 + (bytes + 1) / 2;
  }
}

/// The tokens of a text in parts, as one pass has found them, for passes to come: in a temporary
/// file without a name. About 2 bytes for a token.
class TokenRecord {
 public:
  struct Part {
    uint64_t file = 0;         ///< index of the file
    uint64_t bytes = 0;        ///< of the file
    uint64_t tokens = 0;       ///< behind codes
    uint64_t counter = 0;      ///< index of the counter whose codes stand for them
    uint64_t ends_file = 0;    ///< 1: the file has no other part behind this one
    uint64_t codes_bytes = 0;  ///< set by Append
  };

  /// `folder` must exist; it takes the file.
  explicit TokenRecord(const std::filesystem::path& folder);

  /// SystemError on a full disk.
  void Append(Part part, std::span<const TokenCode> codes);

  /// Calls `visit` for each part, in order. What it is given is valid during the call only.
  /// SystemError when the file cannot be read.
  using Visit = std::function<void(const Part& part, std::span<const TokenCode> codes)>;
  void ForEach(const Visit& visit) const;

 private:
  void ReadAt(uint64_t at, void* out, size_t bytes) const;

  std::filesystem::path folder_;
  FileDescriptor file_;
  uint64_t end_ = 0;
  std::vector<std::byte> buffer_;  // of one part on its way
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TOKEN_RECORD_H_
