#ifndef LOCKSTEP_IO_TEXT_WORD_SPACING_H_
#define LOCKSTEP_IO_TEXT_WORD_SPACING_H_

#include <string_view>

namespace lockstep::io {

/// Whether a space belongs between two words (UTF-8) that follow one another: what a reader
/// expects, since import keeps no spaces. None beside a line feed; none beside a character of a
/// script that is written without spaces (Chinese, Japanese, and between two of Thai, Lao, Khmer,
/// Burmese), nor beside its punctuation and full-width forms; none before closing punctuation (. ,
/// ; : ! ? % and closing brackets and quotes), none behind opening brackets and quotes. Text that
/// is not UTF-8 counts as letters.
bool SpaceBetweenWords(std::string_view left, std::string_view right);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_WORD_SPACING_H_
