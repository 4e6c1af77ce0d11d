#ifndef LOCKSTEP_IO_INSPECT_H_
#define LOCKSTEP_IO_INSPECT_H_

#include <cstdint>
#include <filesystem>

#include <nlohmann/json_fwd.hpp>

namespace lockstep::io {

/// A corpus may have more sources than memory has room for.
inline constexpr uint64_t kMostInspectedSources = 1000;

/// What a file of ours is, as a JSON object that keeps its order: path, format, version, bytes,
/// step, digest, "whole": true or false with "damage" (the reason); then, as far as it can be read:
/// for a dataset tokens, splits, vocabulary (kind, size, unknown, most common), the number of
/// sources and the first `most_sources` of them, fingerprint; for a dataset of series series_count,
/// time, frequency, missing, scale, channels (name, range of mean and deviation over the series),
/// known, statics, the first 100 series, rows, splits (rows of all series), sources, fingerprint;
/// for a dataset of sequences form, examples, splits, sources, fingerprint, fields (kind; tokens,
/// longest, mean_length and vocabulary, or the first `most_sources` names, 100 at most, with count
/// or mean and deviation); for a checkpoint configuration, dataset fingerprint, counters, measures,
/// the tensors' names and shapes, number of parameters. Verifies the whole file. InputError when it
/// is missing or not ours.
nlohmann::ordered_json InspectFile(const std::filesystem::path& path,
                                   uint64_t most_sources = kMostInspectedSources);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_INSPECT_H_
