#ifndef LOCKSTEP_IO_DATASETS_STORED_SOURCES_H_
#define LOCKSTEP_IO_DATASETS_STORED_SOURCES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"

namespace lockstep::io {

/// One source file of a corpus.
struct Source {
  std::string path;
  uint64_t bytes = 0;
  uint64_t size = 0;  ///< what the dataset got of it: tokens of a text, rows of series
};

struct SourceList {
  uint64_t count = 0;
  std::vector<Source> first;
};

/// Writes the group /sources. `unit` names what sizes count: "tokens", "rows".
void WriteSources(H5Writer& writer, const std::vector<Source>& sources, const std::string& unit);

/// Reads and checks them all, in pieces: how many there are, and the first `most` of them.
/// DamagedFileError.
SourceList ReadSources(const H5Reader& reader, const std::string& unit, uint64_t most);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_STORED_SOURCES_H_
