#include "io/datasets/stored_vocabulary.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unicode/utf8.h>

#include "io/errors.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

constexpr int64_t kNoUnknown = -1;

// Whether each token but the unknown one is what the kind says, so that text is cut into the tokens
// that it was meant to be.
bool TokensAreOfKind(TokenKind kind, const std::vector<std::string>& tokens, int64_t unknown) {
  if (kind == TokenKind::kWord) return true;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string& token = tokens[id];
    const auto size = static_cast<int32_t>(token.size());
    int32_t end = 0;
    UChar32 character = 0;
    if (kind == TokenKind::kChar && size > 0) U8_NEXT(token.data(), end, size, character);
    if (kind == TokenKind::kByte) end = 1;
    if ((end != size || character < 0) && static_cast<int64_t>(id) != unknown) return false;
  }
  return true;
}

}  // namespace

void WriteVocabulary(H5Writer& writer, const Vocabulary& vocabulary, const std::string& group) {
  WriteStringList(writer, group, vocabulary.tokens());
  writer.WriteAttribute(group, "kind", std::string(TokenKindName(vocabulary.kind())));
  writer.WriteAttribute(
      group, "unknown",
      vocabulary.unknown() ? static_cast<int64_t>(*vocabulary.unknown()) : kNoUnknown);
  writer.WriteAttribute(group, "normalization", vocabulary.normalization());
  writer.WriteAttribute(group, "lowercase", int64_t{vocabulary.lowercase()});
}

Vocabulary ReadVocabulary(const H5Reader& reader, const std::string& group) {
  const std::string kind_name = reader.ReadString(group, "kind");
  const std::optional<TokenKind> kind = TokenKindFromName(kind_name);
  if (!kind) reader.FailBecause("its vocabulary is of an unknown kind: " + kind_name);
  std::vector<std::string> tokens = ReadStringList(reader, group);
  const int64_t unknown = reader.ReadInteger(group, "unknown");
  if (unknown < kNoUnknown || unknown > std::numeric_limits<uint32_t>::max()) {
    reader.FailBecause("its vocabulary's unknown token is no id");
  }
  if (!TokensAreOfKind(*kind, tokens, unknown)) {
    reader.FailBecause(fmt::format("a token of its vocabulary is not one {}", kind_name));
  }
  const std::string normalization = reader.ReadString(group, "normalization");
  const bool lowercase = reader.ReadInteger(group, "lowercase") != 0;
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
