#ifndef LOCKSTEP_IO_TEXT_TEXT_IMPORT_H_
#define LOCKSTEP_IO_TEXT_TEXT_IMPORT_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/text/corpus_reader.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// How a text becomes a dataset.
struct TextImportOptions {
  /// Files and folders; folders recursively in sorted order (io/text/text_files.h). All are one
  /// text, which `split` cuts.
  std::vector<std::filesystem::path> paths;
  /// Instead of `paths`: the files of each split. Then the vocabulary is that of the training
  /// files.
  std::vector<std::filesystem::path> training_paths;
  std::vector<std::filesystem::path> validation_paths;
  std::vector<std::filesystem::path> test_paths;
  /// The dataset; nothing appears under this name until it is whole.
  std::filesystem::path output;
  /// nullopt: those of the vocabulary in `vocabulary_from` where it is one of ours, else
  /// characters.
  std::optional<TokenKind> tokens;
  /// Any name that ICU knows. For bytes, utf-8 means: as they stand.
  std::string encoding = "utf-8";
  /// A wrong byte becomes U+FFFD; otherwise it is an InputError.
  bool replace_invalid = false;
  /// none, nfc, nfd, nfkc or nfkd.
  std::string normalization = "none";
  /// ICU's full lower-case mapping, root locale.
  bool lowercase = false;
  /// For tokens separated by white space and subwords: the token that a line feed gives, empty for
  /// none; nullopt: "\n".
  std::optional<std::string> line_end;
  /// Most tokens, the unknown token among them; 0 means 50,000 for words, 1,000,000 for tokens
  /// separated by white space and subwords, and no limit for characters and bytes. Words of more
  /// than 256 bytes are never among them.
  uint64_t vocabulary_limit = 0;
  /// A dataset or checkpoint, whose vocabulary is taken as it is, or a text file of tokens
  /// (io/text/vocabulary_file.h); empty: the vocabulary is counted.
  std::filesystem::path vocabulary_from;
  /// For subwords: most merges to learn, 0 for 10,000; of `codes`, how many to take, 0 for all.
  uint64_t merges = 0;
  /// For subwords: a codes file of subword-nmt to take the merges from, and one to write.
  std::filesystem::path codes;
  std::filesystem::path write_codes;
  /// Shares for train, validation, test; the last two may be missing or 0. Of tokens; of subwords,
  /// whose merges are learnt from the training share, of words.
  std::vector<double> split = {90, 5, 5};

  /// Threads that find tokens, at least 1; the result does not depend on them. Each takes up to 20
  /// MB beside its share of `count_memory_bytes`.
  int threads = 1;
  /// Bytes read at a time, at least 1; the result does not depend on it.
  uint64_t block_bytes = CorpusForm().block_bytes;
  /// As CorpusForm has it.
  uint64_t part_units = CorpusForm().part_units;
  /// For counting words before the disk is used, on all threads together; at least 4,096 for each
  /// (a megabyte where words are counted for subwords). The result does not depend on it.
  uint64_t count_memory_bytes = 64 << 20;
};

/// Where an import stands; given to the progress callback about four times a second and at the end.
struct TextImportProgress {
  /// 0 finds where the splits of a text of subwords end whose vocabulary is given, 1 counts tokens,
  /// 2 writes them. 0 and 1 are left out where they are not needed.
  int pass = 1;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;  ///< of each pass
  uint64_t tokens = 0;       ///< in passes 0 and 1 of subwords: words
};

struct TextImportResult {
  TokenKind kind = TokenKind::kChar;
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t tokens = 0;
  std::array<uint64_t, 3> split_tokens = {};  ///< of train, validation, test
  uint64_t vocabulary_size = 0;
  uint64_t merges = 0;          ///< of subwords
  uint64_t unknown_tokens = 0;  ///< how many tokens of the text became the unknown token
  uint64_t replaced = 0;        ///< wrong byte sequences that became U+FFFD
  std::string fingerprint;
};

/// Reads the files as TextImportProgress::pass says, but words that are counted (those of subwords
/// are, too) once: what the first pass finds is recorded in a temporary file beside the output,
/// about 2 bytes for each, which the second one writes from. With bounded memory; only for merges
/// all different words are in memory. Publishes the dataset atomically. Where files of validation
/// and test have characters or bytes that those of the training lack, an unknown token is added to
/// their vocabulary. InputError: no file, no token, a wrong byte (names file and offset), an
/// unknown encoding, an output folder that is missing or not writable, a file that changed between
/// the passes, a character or byte that a vocabulary from a file lacks when that has no unknown
/// token, options that contradict each other. SystemError: full disk, I/O error. After an error
/// nothing is left behind and an older file under the output's name is untouched. `progress` is
/// called on any thread, never twice at once; what it throws ends the import.
TextImportResult ImportText(const TextImportOptions& options,
                            const std::function<void(const TextImportProgress&)>& progress = {});

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_IMPORT_H_
