#ifndef LOCKSTEP_IO_TEXT_PRINTABLE_H_
#define LOCKSTEP_IO_TEXT_PRINTABLE_H_

#include <string>
#include <string_view>

namespace lockstep::io {

/// UTF-8, as JSON must be: a byte of `text` that is not becomes \xNN.
std::string Printable(std::string_view text);

/// Whether all of it is UTF-8.
bool IsUtf8(std::string_view text);

/// UTF-8: each wrong sequence of `text` becomes U+FFFD.
std::string Repaired(std::string_view text);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_PRINTABLE_H_
