#include "io/stored_vocabulary.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/errors.h"
#include "io/string_list.h"

namespace lockstep::io {
namespace {

constexpr int64_t kNoUnknown = -1;

}  // namespace

void WriteVocabulary(H5Writer& writer, const Vocabulary& vocabulary) {
  WriteStringList(writer, kVocabularyGroup, vocabulary.tokens());
  writer.WriteAttribute(kVocabularyGroup, "kind", std::string(TokenKindName(vocabulary.kind())));
  writer.WriteAttribute(
      kVocabularyGroup, "unknown",
      vocabulary.unknown() ? static_cast<int64_t>(*vocabulary.unknown()) : kNoUnknown);
  writer.WriteAttribute(kVocabularyGroup, "normalization", vocabulary.normalization());
  writer.WriteAttribute(kVocabularyGroup, "lowercase", int64_t{vocabulary.lowercase()});
}

Vocabulary ReadVocabulary(const H5Reader& reader) {
  const std::string kind_name = reader.ReadString(kVocabularyGroup, "kind");
  const std::optional<TokenKind> kind = TokenKindFromName(kind_name);
  if (!kind) reader.FailBecause("its vocabulary is of an unknown kind: " + kind_name);
  std::vector<std::string> tokens = ReadStringList(reader, kVocabularyGroup);
  const int64_t unknown = reader.ReadInteger(kVocabularyGroup, "unknown");
  if (unknown < kNoUnknown || unknown > std::numeric_limits<uint32_t>::max()) {
    reader.FailBecause("its vocabulary's unknown token is no id");
  }
  const std::string normalization = reader.ReadString(kVocabularyGroup, "normalization");
  const bool lowercase = reader.ReadInteger(kVocabularyGroup, "lowercase") != 0;
  try {
    return Vocabulary(
        *kind, std::move(tokens),
        unknown == kNoUnknown ? std::nullopt : std::optional(static_cast<uint32_t>(unknown)),
        normalization, lowercase);
  } catch (const InputError& error) {
    reader.FailBecause(error.what());
  }
}

}  // namespace lockstep::io
