#ifndef LOCKSTEP_IO_FILES_FILE_FORMAT_H_
#define LOCKSTEP_IO_FILES_FILE_FORMAT_H_

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "io/files/seal.h"

namespace lockstep::io {

/// A kind of file: the name and version that its seal carries.
struct FileFormat {
  std::string_view name;
  uint32_t version;
  std::string_view description;  ///< "dataset", as messages say it
};

inline constexpr FileFormat kDatasetFormat = {"lockstep.tokens", 1, "dataset"};
inline constexpr FileFormat kSeriesFormat = {"lockstep.series", 1, "dataset of series"};
inline constexpr FileFormat kSequencesFormat = {"lockstep.sequences", 1, "dataset of sequences"};
inline constexpr FileFormat kCheckpointFormat = {"lockstep.checkpoint", 1, "checkpoint"};

/// InputError when the seal is of another format, or of a version that this program does not know.
void RequireFormat(const std::filesystem::path& path, const Seal& seal, const FileFormat& format);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_FILES_FILE_FORMAT_H_
