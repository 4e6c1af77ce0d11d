#ifndef LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_LAYOUT_H_
#define LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_LAYOUT_H_

#include <string>

#include "io/checkpoints/checkpoint.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"

namespace lockstep::io {

// What stands in a checkpoint's HDF5 file beside its tensors. The prose is in io/FORMATS.md.

void WriteCheckpointHeader(H5Writer& writer, const CheckpointHeader& header);

/// DamagedFileError when something is missing or does not hold.
CheckpointHeader ReadCheckpointHeader(const H5Reader& reader);

/// True for the arrays of the header, where no tensor may lie. `array` is absolute.
bool IsOfCheckpointHeader(const std::string& array);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_LAYOUT_H_
