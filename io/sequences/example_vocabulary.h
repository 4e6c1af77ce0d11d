#ifndef LOCKSTEP_IO_SEQUENCES_EXAMPLE_VOCABULARY_H_
#define LOCKSTEP_IO_SEQUENCES_EXAMPLE_VOCABULARY_H_

#include <string>
#include <string_view>

#include "io/sequences/sequence_import.h"
#include "io/text/text_decoder.h"
#include "io/text/text_segmenter.h"
#include "io/text/vocabulary_builder.h"

namespace lockstep::io {

/// Makes the vocabulary of many separate texts.
class ExampleVocabulary {
 public:
  ExampleVocabulary(TokenKind kind, const SequenceImportOptions& options);

  /// UTF-8, or bytes as they stand for kByte without normalisation and lower-casing.
  void Count(std::string_view text);
  /// It always has an unknown token, for the texts to come. Once.
  Vocabulary Build();

 private:
  TokenKind kind_;
  const SequenceImportOptions& options_;
  VocabularyBuilder builder_;
  TextDecoder decoder_;
  TextSegmenter segmenter_;
  std::u16string units_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_EXAMPLE_VOCABULARY_H_
