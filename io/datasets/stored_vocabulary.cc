#include "io/datasets/stored_vocabulary.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unicode/utf8.h>

#include "io/errors.h"
#include "io/files/digest.h"
#include "io/hdf5/string_list.h"
#include "io/text/subwords.h"

namespace lockstep::io {
namespace {

constexpr int64_t kNoId = -1;
constexpr char kMergesList[] = "/merges";  // in the group

// Whether each token but the unknown one is what the kind says, so that text is cut into the tokens
// that it was meant to be.
bool TokensAreOfKind(TokenKind kind, const std::vector<std::string>& tokens, int64_t unknown) {
  if (kind != TokenKind::kChar && kind != TokenKind::kByte) return true;
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

// Like the lines of a codes file.
std::vector<std::string> MergeLines(const Subwords& subwords) {
  std::vector<std::string> lines;
  lines.reserve(subwords.merges().size());
  for (const Subwords::Merge& merge : subwords.merges()) {
    lines.push_back(merge.left + " " + merge.right);
  }
  return lines;
}

std::shared_ptr<const Subwords> ReadMerges(const H5Reader& reader, const std::string& group) {
  std::vector<Subwords::Merge> merges;
  for (const std::string& line : ReadStringList(reader, group + kMergesList)) {
    const size_t space = line.find(' ');
    if (space == std::string::npos) reader.FailBecause("a merge of its vocabulary is no pair");
    merges.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  return std::make_shared<const Subwords>(std::move(merges));
}

std::optional<uint32_t> ReadId(const H5Reader& reader, const std::string& group, const char* name,
                               const char* what) {
  const int64_t id = reader.ReadInteger(group, name);
  if (id < kNoId || id > std::numeric_limits<uint32_t>::max()) {
    reader.FailBecause(fmt::format("its vocabulary's {} is no id", what));
  }
  return id == kNoId ? std::nullopt : std::optional(static_cast<uint32_t>(id));
}

int64_t StoredId(std::optional<uint32_t> id) { return id ? static_cast<int64_t>(*id) : kNoId; }

// The line of a fingerprint.
std::string MergesLine(const Subwords& subwords) {
  Digest digest;
  for (const Subwords::Merge& merge : subwords.merges()) {
    const std::string line = merge.left + " " + merge.right + "\n";
    digest.Update(line.data(), line.size());
  }
  return fmt::format("merges {} {}\n", subwords.merges().size(), digest.Hex());
}

}  // namespace

void WriteVocabulary(H5Writer& writer, const Vocabulary& vocabulary, const std::string& group) {
  WriteStringList(writer, group, vocabulary.tokens());
  writer.WriteAttribute(group, "kind", std::string(TokenKindName(vocabulary.kind())));
  writer.WriteAttribute(group, "unknown", StoredId(vocabulary.unknown()));
  writer.WriteAttribute(group, "normalization", vocabulary.normalization());
  writer.WriteAttribute(group, "lowercase", int64_t{vocabulary.lowercase()});
  if (SeparatedByWhiteSpace(vocabulary.kind())) {
    writer.WriteAttribute(group, "line_end", StoredId(vocabulary.line_end()));
  }
  if (vocabulary.subwords()) {
    WriteStringList(writer, group + kMergesList, MergeLines(*vocabulary.subwords()));
  }
}

Vocabulary ReadVocabulary(const H5Reader& reader, const std::string& group) {
  const std::string kind_name = reader.ReadString(group, "kind");
  const std::optional<TokenKind> kind = TokenKindFromName(kind_name);
  if (!kind) reader.FailBecause("its vocabulary is of an unknown kind: " + kind_name);
  std::vector<std::string> tokens = ReadStringList(reader, group);
  const std::optional<uint32_t> unknown = ReadId(reader, group, "unknown", "unknown token");
  if (!TokensAreOfKind(*kind, tokens, StoredId(unknown))) {
    reader.FailBecause(fmt::format("a token of its vocabulary is not one {}", kind_name));
  }
  const std::string normalization = reader.ReadString(group, "normalization");
  const bool lowercase = reader.ReadInteger(group, "lowercase") != 0;
  std::optional<uint32_t> line_end;
  if (SeparatedByWhiteSpace(*kind)) line_end = ReadId(reader, group, "line_end", "line end");
  try {
    std::shared_ptr<const Subwords> subwords;
    if (*kind == TokenKind::kSubword) subwords = ReadMerges(reader, group);
    return Vocabulary(*kind, std::move(tokens), unknown, normalization, lowercase, line_end,
                      std::move(subwords));
  } catch (const InputError& error) {
    reader.FailBecause(error.what());
  }
}

std::string VocabularyLines(const Vocabulary& vocabulary) {
  Digest digest;
  for (const std::string& token : vocabulary.tokens()) {
    const uint64_t bytes = token.size();
    digest.Update(&bytes, sizeof(bytes));
    digest.Update(token.data(), token.size());
  }
  std::string lines =
      fmt::format("vocabulary {} {} {} {} {} {}\n", TokenKindName(vocabulary.kind()),
                  vocabulary.size(), StoredId(vocabulary.unknown()), vocabulary.normalization(),
                  int{vocabulary.lowercase()}, digest.Hex());
  if (SeparatedByWhiteSpace(vocabulary.kind())) {
    lines += fmt::format("line_end {}\n", StoredId(vocabulary.line_end()));
  }
  if (vocabulary.subwords()) lines += MergesLine(*vocabulary.subwords());
  return lines;
}

}  // namespace lockstep::io
