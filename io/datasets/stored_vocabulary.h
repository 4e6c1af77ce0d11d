#ifndef LOCKSTEP_IO_DATASETS_STORED_VOCABULARY_H_
#define LOCKSTEP_IO_DATASETS_STORED_VOCABULARY_H_

#include <string>

#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// The group /vocabulary, the same in datasets and checkpoints: the tokens as a list of strings,
/// and what the import did as attributes. Layout: io/FORMATS.md.
inline constexpr char kVocabularyGroup[] = "/vocabulary";

/// `group` is another place for one of several vocabularies.
void WriteVocabulary(H5Writer& writer, const Vocabulary& vocabulary,
                     const std::string& group = kVocabularyGroup);

/// DamagedFileError when something is missing or does not fit together.
Vocabulary ReadVocabulary(const H5Reader& reader, const std::string& group = kVocabularyGroup);

/// The lines of a dataset's fingerprint that stand for a vocabulary (io/FORMATS.md), each with its
/// line feed.
std::string VocabularyLines(const Vocabulary& vocabulary);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_STORED_VOCABULARY_H_
