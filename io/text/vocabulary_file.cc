#include "io/text/vocabulary_file.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/dataset.h"
#include "io/datasets/sequence_dataset.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_foreign.h"
#include "io/text/line_reader.h"
#include "io/text/printable.h"
#include "io/text/subword_learner.h"

namespace lockstep::io {
namespace {

bool IsUnit(TokenKind kind) { return kind == TokenKind::kChar || kind == TokenKind::kByte; }

bool IsNumber(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string Unescaped(std::string_view line) {
  if (line == "\\n") return "\n";
  if (line == "\\r") return "\r";
  if (line == "\\t") return "\t";
  if (line == "\\\\") return "\\";
  return std::string(line);
}

std::string TokenOnLine(const LineReader& lines, std::string_view line, TokenKind kind) {
  if (kind != TokenKind::kByte && !IsUtf8(line)) lines.Fail("is not UTF-8");
  if (line.empty()) lines.Fail("is empty; each line is to hold one token");
  if (IsUnit(kind)) {
    std::string token = Unescaped(line);
    const size_t units = kind == TokenKind::kByte ? token.size() : CodePoints(token).size();
    if (units != 1 && token != kUnknownText) {
      lines.Fail(
          fmt::format("\"{}\" is not one {}. If the tokens are something else, say so with "
                      "--tokens.",
                      token, TokenKindName(kind)));
    }
    return token;
  }
  const size_t end = line.find_first_of(" \t");
  if (end == 0 || (end != std::string_view::npos && !IsNumber(line.substr(end + 1)))) {
    lines.Fail(fmt::format("\"{}\" is not a token, alone or with its count behind it", line));
  }
  return std::string(line.substr(0, end));
}

/// Its id; it is added where it is not among the tokens.
uint32_t Place(std::string_view token, std::vector<std::string>* tokens) {
  auto found = std::find(tokens->begin(), tokens->end(), token);
  if (found == tokens->end()) found = tokens->insert(tokens->end(), std::string(token));
  return static_cast<uint32_t>(found - tokens->begin());
}

}  // namespace

std::optional<Vocabulary> ReadVocabularyOf(const std::filesystem::path& path) {
  if (!LooksLikeOurs(path)) return std::nullopt;
  const std::string format = PeekSeal(path).format;
  if (format == kDatasetFormat.name) return Dataset::Open(path).vocabulary();
  std::vector<Vocabulary> vocabularies;
  if (format == kSequencesFormat.name) {
    const SequenceDataset dataset = SequenceDataset::Open(path);
    for (const SequenceField& field : dataset.fields()) {
      if (field.kind == SequenceField::Kind::kTokens) vocabularies.push_back(field.vocabulary);
    }
  } else if (format == kCheckpointFormat.name) {
    const CheckpointHeader header = CheckpointReader(path).header();
    for (const auto& [name, vocabulary] : header.vocabularies) vocabularies.push_back(vocabulary);
    if (header.vocabulary) vocabularies.push_back(*header.vocabulary);
  }
  if (vocabularies.empty()) {
    throw InputError(fmt::format(
        "{} ({}) has no vocabulary to take. Name a dataset of tokens or sequences, a checkpoint, "
        "or a text file with a token on each line.",
        path.string(), format));
  }
  if (vocabularies.front() == vocabularies.back()) return vocabularies.front();
  throw InputError(fmt::format(
      "{} has two vocabularies, of sources and of targets: which one is meant? Name another file, "
      "or a text file with a token on each line.",
      path.string()));
}

std::vector<std::string> ReadTokenList(const std::filesystem::path& path, TokenKind kind) {
  if (IsHdf5(path)) {
    throw InputError(fmt::format(
        "{} is HDF5, but neither a dataset nor a checkpoint of Lockstep's, and no list of tokens.",
        path.string()));
  }
  LineReader lines(path);
  std::vector<std::string> tokens;
  std::unordered_map<std::string, uint64_t> line_of;
  while (const std::optional<std::string_view> line = lines.Next()) {
    std::string token = TokenOnLine(lines, *line, kind);
    const auto [place, added] = line_of.emplace(token, lines.line_number());
    if (!added) {
      lines.Fail(fmt::format("the token \"{}\" stands on line {} already", token, place->second));
    }
    tokens.push_back(std::move(token));
  }
  if (tokens.empty()) {
    throw InputError(fmt::format("{} has no token; each line is to hold one.", lines.name()));
  }
  return tokens;
}

Vocabulary VocabularyOfList(std::vector<std::string> tokens, const ListedVocabulary& form) {
  const bool listed = std::find(tokens.begin(), tokens.end(), kUnknownText) != tokens.end();
  std::optional<uint32_t> unknown;
  if (listed || form.needs_unknown) unknown = Place(kUnknownText, &tokens);
  std::optional<uint32_t> line_end;
  if (SeparatedByWhiteSpace(form.kind) && !form.line_end.empty()) {
    line_end = Place(form.line_end, &tokens);
  } else if (form.kind == TokenKind::kWord) {
    Place("\n", &tokens);
  }
  return Vocabulary(form.kind, std::move(tokens), unknown, form.normalization, form.lowercase,
                    line_end, form.subwords);
}

void RequireTokensOf(const Vocabulary& given, const std::filesystem::path& path,
                     const TokenChoices& choices) {
  const auto require = [&](bool fits, const char* option) {
    if (!fits) ThrowComesWithItsOwn(path, option);
  };
  require(!choices.tokens || *choices.tokens == given.kind(), "--tokens");
  require(choices.normalization == "none" || choices.normalization == given.normalization(),
          "--normalize");
  require(!choices.lowercase || given.lowercase(), "--lowercase");
}

void ThrowComesWithItsOwn(const std::filesystem::path& path, const std::string& option) {
  throw InputError(fmt::format(
      "the vocabulary of {} comes with its own {}; leave {} out, or do not take it over.",
      path.string(), option.substr(2), option));
}

}  // namespace lockstep::io
