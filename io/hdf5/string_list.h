#ifndef LOCKSTEP_IO_HDF5_STRING_LIST_H_
#define LOCKSTEP_IO_HDF5_STRING_LIST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"

namespace lockstep::io {

/// A list of strings as two arrays of a group: `bytes` (uint8, all strings one behind the other)
/// and `offsets` (uint64, one more than strings: string i is bytes [offsets[i], offsets[i + 1])).
/// HDF5's own strings of variable length lie where no checksum covers them.
void WriteStringList(H5Writer& writer, const std::string& group,
                     const std::vector<std::string>& strings);

/// DamagedFileError when the offsets do not fit the bytes.
std::vector<std::string> ReadStringList(const H5Reader& reader, const std::string& group);

/// The same with bounded memory, for a list of any length: reads and checks all of it in pieces.
/// Returns its first `most` strings, and how many there are.
struct StringListHead {
  std::vector<std::string> strings;
  uint64_t count = 0;
};
StringListHead ReadStringListHead(const H5Reader& reader, const std::string& group, uint64_t most);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_HDF5_STRING_LIST_H_
