#ifndef LOCKSTEP_IO_TEXT_TEXT_NORMALIZER_H_
#define LOCKSTEP_IO_TEXT_TEXT_NORMALIZER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/piece_cutter.h"

namespace lockstep::io {

/// Unicode normalisation (UAX #15) and lower-casing (ICU's full mapping, root locale, with its rule
/// for the final sigma) of an endless text. Lower-casing comes after normalisation, and
/// normalisation is then repeated, so that the result is both.
///
/// Exact but for two kinds of text that no language writes: more than 4,096 UTF-16 units in a row
/// that belong to one normalised character are normalised in parts of 4,096; and in more than 4,096
/// letters and marks without anything between them, a sigma beside such a cut may take the wrong
/// one of its two forms.
class TextNormalizer {
 public:
  using Take = std::function<void(std::u16string_view text)>;

  /// `normalization`: none, nfc, nfd, nfkc, nfkd; InputError for another name. `take` gets the
  /// changed text in order; what it is given is valid during the call only.
  /// `most_units` is changed at a time; less than the default serves tests.
  TextNormalizer(const std::string& normalization, bool lowercase, Take take,
                 size_t most_units = 4096);
  ~TextNormalizer();
  TextNormalizer(const TextNormalizer&) = delete;
  TextNormalizer& operator=(const TextNormalizer&) = delete;

  void Feed(std::u16string_view text);
  /// The text ends here. Then another one may be fed.
  void Finish();

 private:
  void AddNormalization(const std::string& normalization);
  void AddLowercase();
  /// The entrance of the stage behind the last one so far.
  Take Next();

  Take take_;
  size_t most_units_;
  std::vector<std::unique_ptr<PieceCutter>> stages_;  // each hands its pieces, changed, to the next
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_NORMALIZER_H_
