#ifndef LOCKSTEP_IO_TEXT_TEXT_IMPORT_H_
#define LOCKSTEP_IO_TEXT_TEXT_IMPORT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/text/vocabulary.h"

namespace lockstep::io {

/// How a text becomes a dataset.
struct TextImportOptions {
  /// Files and folders; folders recursively in sorted order (io/text/text_files.h).
  std::vector<std::filesystem::path> paths;
  /// The dataset; nothing appears under this name until it is whole.
  std::filesystem::path output;
  TokenKind tokens = TokenKind::kChar;
  /// Any name that ICU knows. For bytes, utf-8 means: as they stand.
  std::string encoding = "utf-8";
  /// A wrong byte becomes U+FFFD; otherwise it is an InputError.
  bool replace_invalid = false;
  /// none, nfc, nfd, nfkc or nfkd.
  std::string normalization = "none";
  /// ICU's full lower-case mapping, root locale.
  bool lowercase = false;
  /// Most tokens, the unknown token among them; 0 means 50,000 for words and no limit for
  /// characters and bytes. Words of more than 256 bytes are never among them.
  uint64_t vocabulary_limit = 0;
  /// Shares for train, validation, test; the last two may be missing or 0.
  std::vector<double> split = {90, 5, 5};

  /// Bytes read at a time, at least 1; the result does not depend on it.
  uint64_t block_bytes = 1 << 20;
  /// For counting words before the disk is used, at least 4,096; the result does not depend on it.
  uint64_t count_memory_bytes = 64 << 20;
};

/// Where an import stands; given to the progress callback about four times a second and at the end.
struct TextImportProgress {
  int pass = 1;  ///< 1 counts tokens, 2 writes them
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
  uint64_t tokens = 0;
};

struct TextImportResult {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t tokens = 0;
  uint64_t vocabulary_size = 0;
  uint64_t unknown_tokens = 0;  ///< how many tokens of the text became the unknown token
  uint64_t replaced = 0;        ///< wrong byte sequences that became U+FFFD
  std::string fingerprint;
};

/// Reads the files twice (count, write) with bounded memory and publishes the dataset atomically.
/// InputError: no file, no token, a wrong byte (names file and offset), an unknown encoding, an
/// output folder that is missing or not writable, a file that changed between the passes.
/// SystemError: full disk, I/O error. After an error nothing is left behind and an older file under
/// the output's name is untouched.
TextImportResult ImportText(const TextImportOptions& options,
                            const std::function<void(const TextImportProgress&)>& progress = {});

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_IMPORT_H_
