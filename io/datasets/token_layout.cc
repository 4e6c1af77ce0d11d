#include "io/datasets/token_layout.h"

#include <fmt/format.h>

#include "io/files/digest.h"

namespace lockstep::io {

std::string DatasetFingerprint(const std::string& tokens_digest, uint64_t size_tokens,
                               const Vocabulary& vocabulary, const std::vector<Split>& splits) {
  Digest vocabulary_digest;
  for (const std::string& token : vocabulary.tokens()) {
    const uint64_t bytes = token.size();
    vocabulary_digest.Update(&bytes, sizeof(bytes));
    vocabulary_digest.Update(token.data(), token.size());
  }
  std::string text =
      fmt::format("tokens {} {}\nvocabulary {} {} {} {} {} {}\n", size_tokens, tokens_digest,
                  TokenKindName(vocabulary.kind()), vocabulary.size(),
                  vocabulary.unknown() ? fmt::to_string(*vocabulary.unknown()) : "-1",
                  vocabulary.normalization(), int{vocabulary.lowercase()}, vocabulary_digest.Hex());
  for (const Split& split : splits) {
    text += fmt::format("split {} {} {}\n", split.name, split.begin, split.end);
  }
  return DigestHex(text.data(), text.size());
}

}  // namespace lockstep::io
