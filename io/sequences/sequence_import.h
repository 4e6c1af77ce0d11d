#ifndef LOCKSTEP_IO_SEQUENCES_SEQUENCE_IMPORT_H_
#define LOCKSTEP_IO_SEQUENCES_SEQUENCE_IMPORT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "io/text/decoded_source.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// How files of separate texts become a dataset of sequences. Which files and columns there are for
/// each form is said in io/sequences/example_readers.h.
struct SequenceImportOptions {
  SequenceForm form = SequenceForm::kLabels;

  /// Sources to be cut into training, validation and test by `split`; or sources of each of these,
  /// where only `train` is required. A source is a path; where the form has parallel files and
  /// there is none of this name, several with commas between them.
  std::vector<std::string> paths;
  std::vector<std::string> train, validation, test;
  /// Shares of the examples.
  std::vector<double> split = {90, 5, 5};
  /// Which examples fall to which share is drawn, by a fixed permutation; otherwise the first ones
  /// are for training. Every part keeps the order of the sources.
  bool shuffle = true;
  /// The dataset; nothing appears under this name until it is whole.
  std::filesystem::path output;

  TextEncoding encoding;
  /// As for TextImportOptions; for tokens only, not for labels and tags.
  std::string normalization = "none";
  bool lowercase = false;
  /// By default kWord, or as in `vocabulary_from`. kTags: kWhitespace, whatever this says.
  std::optional<TokenKind> tokens;
  /// Of sources and of targets; `tokens` where nothing is said.
  std::optional<TokenKind> source_tokens, target_tokens;
  /// One vocabulary of sources and targets.
  bool shared_vocabulary = false;
  /// A dataset or checkpoint whose vocabularies, labels, tags and numbers are taken over, field by
  /// field (one with a single vocabulary gives it to every field of tokens), so that ids mean the
  /// same; or a text file with a token on each line (io/text/vocabulary_file.h). Empty: none.
  std::filesystem::path vocabulary_from;
  /// Of sources and of targets; `vocabulary_from` where nothing is said.
  std::filesystem::path source_vocabulary_from, target_vocabulary_from;
  /// For kSubword, as TextImportOptions: most merges to learn, 0 for 10,000; of `codes`, how many
  /// to take, 0 for all.
  uint64_t merges = 0;
  /// A codes file of subword-nmt to take the merges from, and one to write.
  std::filesystem::path codes, write_codes;
  /// Most tokens, the unknown token among them; 0: 50,000 for words and white space, else no limit.
  uint64_t vocabulary_limit = 0;
  /// Tokens that occur less often in the training examples are unknown.
  uint64_t min_count = 1;
  /// Examples with a longer sequence are left out; 0: none.
  uint64_t longest = 0;

  /// Columns by their names in a first line, or by their numbers from 1 where there is none.
  std::string label_column, text_column, source_column, target_column;
  /// Between cells; 0: it is found.
  char delimiter = 0;
  /// kTags, by number from 1; 0: the last one.
  size_t token_column = 1, tag_column = 0;
  /// kCaptions: columns; empty: all that are numbers in every row.
  std::vector<std::string> features;
  /// kCaptions from HDF5.
  std::string features_array, text_array;

  /// What a token of this field is; nullopt where nobody said it.
  std::optional<TokenKind> ChosenKindOf(std::string_view field) const;
  /// The same with the default.
  TokenKind KindOf(std::string_view field) const {
    return ChosenKindOf(field).value_or(TokenKind::kWord);
  }

  /// Examples beyond are in a temporary file in the output's folder; the result does not depend on
  /// it.
  uint64_t spill_memory_bytes = uint64_t{64} << 20;
  /// As TextImportOptions::count_memory_bytes.
  uint64_t count_memory_bytes = uint64_t{64} << 20;
};

/// Where an import stands; given about four times a second and at the end of a stage.
struct SequenceImportProgress {
  std::string_view stage;  ///< "reading", "counting", "writing"
  uint64_t done = 0;       ///< bytes when reading, else examples
  uint64_t total = 0;      ///< 0: unknown
  uint64_t examples = 0;
};

struct SequenceImportResult {
  /// Of one part: train, validation, test.
  struct Part {
    uint64_t examples = 0;
    std::vector<uint64_t> tokens;                    ///< of each field; 0 where it has none
    std::vector<uint64_t> unknown;                   ///< of these
    std::vector<std::vector<uint64_t>> name_counts;  ///< of each field's names, or empty
  };
  uint64_t files = 0;
  uint64_t bytes = 0;
  Part parts[3];
  std::vector<SequenceField> fields;
  std::vector<uint64_t> longest;  ///< tokens of the longest sequence of each field
  uint64_t left_out_empty = 0;    ///< examples with a sequence of no tokens
  uint64_t left_out_long = 0;
  uint64_t replaced = 0;  ///< wrong byte sequences that became U+FFFD
  /// What a person should know of how the files were understood, and of what looks wrong.
  std::vector<std::string> notes, warnings;
  std::string fingerprint;

  uint64_t examples() const { return parts[0].examples + parts[1].examples + parts[2].examples; }
};

/// Reads the sources once with bounded memory (a byte for each example beside buffers, the
/// vocabularies, and the dataset's lengths) and publishes the dataset atomically. InputError, with
/// file and line where there is one, for all that is wrong with options and sources; SystemError:
/// full disk, I/O error. After an error nothing is left behind and an older file under the output's
/// name is untouched.
SequenceImportResult ImportSequences(
    const SequenceImportOptions& options,
    const std::function<void(const SequenceImportProgress&)>& progress = {});

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_SEQUENCE_IMPORT_H_
