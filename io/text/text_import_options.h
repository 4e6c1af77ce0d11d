#ifndef LOCKSTEP_IO_TEXT_TEXT_IMPORT_OPTIONS_H_
#define LOCKSTEP_IO_TEXT_TEXT_IMPORT_OPTIONS_H_

#include <optional>
#include <string>

#include "io/text/corpus_reader.h"
#include "io/text/text_import.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// InputError when options of an import contradict each other, or nothing could be written where
/// they say; so that it is found now, not after hours of counting. `given` is the vocabulary of
/// ours that they name.
void CheckTextImport(const TextImportOptions& options, const std::optional<Vocabulary>& given);

/// How the text is read: as for the vocabulary where one is given.
CorpusForm FormOf(const TextImportOptions& options, const std::optional<Vocabulary>& given);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_IMPORT_OPTIONS_H_
