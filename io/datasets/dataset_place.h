#ifndef LOCKSTEP_IO_DATASETS_DATASET_PLACE_H_
#define LOCKSTEP_IO_DATASETS_DATASET_PLACE_H_

#include <filesystem>

namespace lockstep::io {

/// InputError when no dataset can be written there, so that an import says it before its work: no
/// folder, no right to write, or a file that is not ours, whose place the dataset would take.
void RequirePlaceForDataset(const std::filesystem::path& output);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_DATASET_PLACE_H_
