#include "io/datasets/token_layout.h"

#include <fmt/format.h>

#include "io/datasets/stored_vocabulary.h"
#include "io/files/digest.h"

namespace lockstep::io {

ElementType TokenType(uint64_t vocabulary_size) {
  if (vocabulary_size <= uint64_t{1} << 8) return ElementType::kUint8;
  if (vocabulary_size <= uint64_t{1} << 16) return ElementType::kUint16;
  return ElementType::kUint32;
}

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
