#ifndef LOCKSTEP_IO_SEQUENCES_SOURCE_TEXT_H_
#define LOCKSTEP_IO_SEQUENCES_SOURCE_TEXT_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "io/sequences/sequence_import.h"
#include "io/series/byte_source.h"

namespace lockstep::io {

/// Whether the bytes of texts are taken as they stand, without being decoded.
bool TakesBytes(const SequenceImportOptions& options);

/// The text of a file as the options say. `replaced` as for DecodedSource.
std::unique_ptr<CharSource> OpenText(const std::filesystem::path& path,
                                     const SequenceImportOptions& options, uint64_t* replaced);

/// The text with spaces for line ends; `room` holds it where it has any.
std::string_view OneLine(std::string_view text, std::string* room);

/// A label without spaces around it. InputError, which begins with the place ("FILE, line 7"), when
/// it is empty or not UTF-8.
std::string_view CheckedLabel(std::string_view label, const std::string& place);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_SOURCE_TEXT_H_
