#include "io/text/text_import_options.h"

#include <algorithm>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/datasets/dataset_place.h"
#include "io/errors.h"
#include "io/text/printable.h"
#include "io/text/subwords.h"
#include "io/text/vocabulary_file.h"

namespace lockstep::io {
namespace {

void CheckFiles(const TextImportOptions& options) {
  const bool split_files = !options.training_paths.empty() || !options.validation_paths.empty() ||
                           !options.test_paths.empty();
  if (!split_files) return;
  if (!options.paths.empty()) {
    throw InputError(
        "there are files to cut into splits and files of splits. Name either, or the former among "
        "those of --train.");
  }
  if (options.training_paths.empty()) {
    throw InputError("there are files of other splits, but none to train on. Name some: --train.");
  }
}

void CheckLineEnd(const TextImportOptions& options, TokenKind kind) {
  if (!options.line_end) return;
  if (!SeparatedByWhiteSpace(kind)) {
    throw InputError(fmt::format(
        "--line-end is for --tokens whitespace and bpe; tokens of kind {} keep line feeds as they "
        "are.",
        TokenKindName(kind)));
  }
  const std::string& token = *options.line_end;
  if (token == "\n" || token.empty()) return;
  const bool spaced = std::any_of(token.begin(), token.end(),
                                  [](char c) { return static_cast<unsigned char>(c) <= ' '; });
  if (spaced || token == kUnknownText || !IsUtf8(token)) {
    throw InputError(fmt::format(
        "--line-end \"{}\": name a token without white space that is not {}, such as <eos>, or "
        "none.",
        Printable(token), kUnknownText));
  }
}

void CheckSubwords(const TextImportOptions& options, TokenKind kind) {
  if (kind != TokenKind::kSubword) {
    if (options.merges == 0 && options.codes.empty() && options.write_codes.empty()) return;
    throw InputError(
        fmt::format("--merges, --codes and --write-codes are for --tokens bpe, not for {}.",
                    TokenKindName(kind)));
  }
  if (options.write_codes.empty()) return;
  RequirePlaceForCodes(options.write_codes, options.output);
}

void CheckGiven(const TextImportOptions& options, const Vocabulary& given) {
  RequireTokensOf(given, options.vocabulary_from,
                  {options.tokens, options.normalization, options.lowercase});
  if (options.merges != 0) ThrowComesWithItsOwn(options.vocabulary_from, "--merges");
  if (!options.codes.empty()) ThrowComesWithItsOwn(options.vocabulary_from, "--codes");
  if (!options.line_end) return;
  const std::string line_end = given.line_end() ? given.tokens()[*given.line_end()] : "";
  if (*options.line_end != line_end) ThrowComesWithItsOwn(options.vocabulary_from, "--line-end");
}

}  // namespace

void CheckTextImport(const TextImportOptions& options, const std::optional<Vocabulary>& given) {
  if (options.vocabulary_limit == 1) {
    throw InputError(
        "a vocabulary limit of 1 leaves room for the unknown token alone; it must be 0 (the "
        "default) or at least 2");
  }
  if (options.vocabulary_limit != 0 && !options.vocabulary_from.empty()) {
    throw InputError("--vocabulary limits what is counted; with --vocabulary-from nothing is.");
  }
  const TokenKind kind = FormOf(options, given).tokens;
  CheckFiles(options);
  CheckLineEnd(options, kind);
  CheckSubwords(options, kind);
  if (given) CheckGiven(options, *given);
  CheckSplitShares(options.split);
  RequirePlaceForDataset(options.output);
}

CorpusForm FormOf(const TextImportOptions& options, const std::optional<Vocabulary>& given) {
  CorpusForm form;
  form.tokens = given ? given->kind() : options.tokens.value_or(TokenKind::kChar);
  form.encoding = options.encoding;
  form.replace_invalid = options.replace_invalid;
  form.normalization = given ? given->normalization() : options.normalization;
  form.lowercase = given ? given->lowercase() : options.lowercase;
  form.block_bytes = options.block_bytes;
  form.part_units = options.part_units;
  return form;
}

}  // namespace lockstep::io
