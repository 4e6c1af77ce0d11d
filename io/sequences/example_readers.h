#ifndef LOCKSTEP_IO_SEQUENCES_EXAMPLE_READERS_H_
#define LOCKSTEP_IO_SEQUENCES_EXAMPLE_READERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/datasets/stored_sources.h"
#include "io/sequences/caption_columns.h"
#include "io/sequences/import_sources.h"
#include "io/sequences/sequence_import.h"
#include "io/sequences/source_example.h"

namespace lockstep::io {

/// What readers find out beside the examples, over all sources.
struct ReadingNotes {
  std::vector<Source> sources;
  uint64_t replaced = 0;         ///< wrong byte sequences that became U+FFFD
  uint64_t further_columns = 0;  ///< rows with columns that nobody asked for
  uint64_t joined_tokens = 0;    ///< tokens with white space inside, which became "_"
  uint64_t beside_classes = 0;   ///< files that lie beside the folders of classes, or are hidden
};

// Each reads one source to its end. InputError with file and line.

/// kLabels. A file has "LABEL tab TEXT" on each line; with label_column and text_column these
/// columns, of a table (CSV, TSV) by name, or by number of lines with tabs (of rows of CSV where
/// the name ends in .csv or another delimiter is named). A folder has a folder for each label, in
/// which each file is a text. Empty lines are passed over; line ends inside a text become spaces.
void ReadLabels(const ImportSource& source, const SequenceImportOptions& options, ExampleSink* sink,
                ReadingNotes* notes);

/// kTags. One file in columns (CoNLL): a token a line, columns between tabs or else spaces, an
/// empty line behind each sentence; passed over are lines that begin with -DOCSTART-, comments
/// (lines before the first token of a sentence that begin with # and have not as many columns as
/// the file), and in files of ten columns (CoNLL-U) rows whose first is 1-2 or 1.1. Two or three
/// parallel files: tokens, tags and a label, of an example on each line.
void ReadTags(const ImportSource& source, const SequenceImportOptions& options, ExampleSink* sink,
              ReadingNotes* notes);

/// kPairs. A file has "SOURCE tab TARGET" on each line; source_column and target_column as those of
/// labels. Two parallel files have one of them on each line.
void ReadPairs(const ImportSource& source, const SequenceImportOptions& options, ExampleSink* sink,
               ReadingNotes* notes);

/// kCaptions. A table with a text column and features (`columns` learns of what kind they are), or
/// an HDF5 file with an array of numbers [N, F] and one of N strings.
void ReadCaptions(const ImportSource& source, const SequenceImportOptions& options,
                  CaptionColumns* columns, ExampleSink* sink, ReadingNotes* notes);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_EXAMPLE_READERS_H_
