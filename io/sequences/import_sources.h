#ifndef LOCKSTEP_IO_SEQUENCES_IMPORT_SOURCES_H_
#define LOCKSTEP_IO_SEQUENCES_IMPORT_SOURCES_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "io/sequences/sequence_import.h"

namespace lockstep::io {

/// What examples are read from together.
struct ImportSource {
  static constexpr int kByShares = -1;
  /// 0 train, 1 validation, 2 test.
  int part = kByShares;
  /// Parallel ones in their order; mostly one, which may be a folder.
  std::vector<std::filesystem::path> files;
};

/// The sources that the options name, in the order of their parts. InputError for sources of both
/// kinds or none, for shares that are none, for a wrong number of parallel files, or files of ours.
std::vector<ImportSource> ListSources(const SequenceImportOptions& options);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_IMPORT_SOURCES_H_
