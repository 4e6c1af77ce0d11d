#ifndef LOCKSTEP_IO_TEXT_WORD_VECTORS_H_
#define LOCKSTEP_IO_TEXT_WORD_VECTORS_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "io/text/vocabulary.h"

namespace lockstep::io {

/// Vectors that others trained, for the tokens of a vocabulary.
struct WordVectors {
  uint64_t size = 0;             ///< E, numbers of a vector
  std::vector<float> rows;       ///< [V, E], row-major; zeros for tokens that were not found
  std::vector<uint8_t> found;    ///< [V], 1 or 0
  uint64_t found_count = 0;      ///< how many tokens were found
  uint64_t lowercase_count = 0;  ///< how many of these by their lower-cased text alone
};

/// Reads vectors in text form, plain or packed by gzip: a word and its E numbers on each line,
/// separated by spaces or tabs; as word2vec and fastText write it, with a first line of two numbers
/// (how many vectors, and E), or as GloVe does, without. Words may have spaces in them, as some of
/// GloVe's do, unless their last part is a number.
///
/// A token takes the vector of the word that is its text; where the file has none, that of its
/// lower-cased text (ICU's full mapping, root locale). The line end of a vocabulary, where its own
/// text is not there, takes "</s>", word2vec's end of a sentence. Of several vectors for one word
/// the first counts. Memory: the rows, and a line. Only the numbers of words that a token may take
/// are looked at, but all lines are counted.
///
/// InputError with file and line: a line of another number of values, a value that is not a finite
/// number (of float32), as many vectors as the first line does not say, no vector at all.
WordVectors ReadWordVectors(const std::filesystem::path& path, const Vocabulary& vocabulary);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_WORD_VECTORS_H_
