#ifndef LOCKSTEP_IO_TEXT_VOCABULARY_FILE_H_
#define LOCKSTEP_IO_TEXT_VOCABULARY_FILE_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/text/subwords.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// The vocabulary of a dataset or of a checkpoint; nullopt when the file is none of ours.
/// InputError when it has none, or two; DamagedFileError.
std::optional<Vocabulary> ReadVocabularyOf(const std::filesystem::path& path);

/// The tokens of a text file, one on each line, in the order of their ids. Where tokens have no
/// white space in them (all kinds but characters and bytes), a number may follow behind a space or
/// a tab, as in the vocabularies of subword-nmt, and is passed over. For characters and bytes \n,
/// \r, \t and \\ stand for the characters that a line cannot hold. InputError with file and line:
/// no token, or one that is not of the kind, or that stands twice; text that is not UTF-8 (but
/// bytes).
std::vector<std::string> ReadTokenList(const std::filesystem::path& path, TokenKind kind);

/// What becomes of listed tokens.
struct ListedVocabulary {
  TokenKind kind = TokenKind::kWord;
  bool needs_unknown = true;    ///< whether "<unk>" is added where it is not listed
  std::string line_end = "\n";  ///< empty: none; added where it is not listed
  std::string normalization = "none";
  bool lowercase = false;
  std::shared_ptr<const Subwords> subwords;
};

/// The vocabulary in which listed tokens have the ids of their places; what is added stands behind
/// them.
Vocabulary VocabularyOfList(std::vector<std::string> tokens, const ListedVocabulary& form);

/// What options of an import say of tokens.
struct TokenChoices {
  std::optional<TokenKind> tokens;
  std::string normalization = "none";
  bool lowercase = false;
};

/// InputError where they say something else than the vocabulary of `path`, which is taken over.
void RequireTokensOf(const Vocabulary& given, const std::filesystem::path& path,
                     const TokenChoices& choices);
/// The error of such an option.
[[noreturn]] void ThrowComesWithItsOwn(const std::filesystem::path& path,
                                       const std::string& option);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_VOCABULARY_FILE_H_
