#ifndef LOCKSTEP_IO_DATASETS_STORED_SPLITS_H_
#define LOCKSTEP_IO_DATASETS_STORED_SPLITS_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "io/datasets/dataset.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"

namespace lockstep::io {

/// train, validation and test, which end at `ends`; each begins where the one before ends.
std::vector<Split> SplitsUntil(std::span<const uint64_t> ends);

/// Writes the group /splits: a range of what the dataset holds `size` of for each.
void WriteSplits(H5Writer& writer, const std::vector<Split>& splits);

/// In the order of their use. DamagedFileError when one is not a range of `size`, which `unit`
/// names: "tokens".
std::vector<Split> ReadSplits(const H5Reader& reader, uint64_t size, std::string_view unit);

/// InputError, naming the splits there are, when there is none of this name.
const Split& FindSplit(const std::vector<Split>& splits, std::string_view name,
                       const std::filesystem::path& path);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_STORED_SPLITS_H_
