#include "io/datasets/token_layout.h"

#include <fmt/format.h>

#include "io/datasets/stored_vocabulary.h"
#include "io/files/digest.h"

namespace lockstep::io {

std::string DatasetFingerprint(const std::string& tokens_digest, uint64_t size_tokens,
                               const Vocabulary& vocabulary, const std::vector<Split>& splits) {
  std::string text = fmt::format("tokens {} {}\n", size_tokens, tokens_digest);
  text += VocabularyLines(vocabulary);
  for (const Split& split : splits) {
    text += fmt::format("split {} {} {}\n", split.name, split.begin, split.end);
  }
  return DigestHex(text.data(), text.size());
}

}  // namespace lockstep::io
