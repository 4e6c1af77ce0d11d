#ifndef LOCKSTEP_IO_DATASETS_SERIES_LAYOUT_H_
#define LOCKSTEP_IO_DATASETS_SERIES_LAYOUT_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "io/hdf5/h5_reader.h"

namespace lockstep::io {

// What the writer and the reader of a dataset of series must agree on. The prose is in
// io/FORMATS.md.

inline constexpr char kValuesArray[] = "/values";
inline constexpr char kValueDigestsArray[] = "/value_digests";
inline constexpr char kChannelsGroup[] = "/channels";
inline constexpr char kKnownGroup[] = "/known";
inline constexpr char kStaticsGroup[] = "/statics";
inline constexpr char kSeriesIdsGroup[] = "/series/ids";
inline constexpr char kSeriesRowsArray[] = "/series/rows";
inline constexpr char kSeriesFutureRowsArray[] = "/series/future_rows";
inline constexpr char kSeriesStartsArray[] = "/series/starts";
inline constexpr char kSeriesSplitsArray[] = "/series/splits";
inline constexpr char kSeriesMeansArray[] = "/series/means";
inline constexpr char kSeriesDeviationsArray[] = "/series/deviations";
inline constexpr char kSeriesStaticsArray[] = "/series/statics";
inline constexpr char kSeriesSourceUnit[] = "rows";

/// begin, train_end, validation_end, test_end.
inline constexpr uint64_t kSplitBounds = 4;

/// Values in a piece: 64 kB of them.
inline constexpr uint64_t kPieceValues = 16384;
/// Rows in a piece of /values, which is also a chunk.
inline uint64_t PieceRows(uint64_t row_width) {
  return std::max<uint64_t>(kPieceValues / std::max<uint64_t>(row_width, 1), 1);
}

/// Float32 holds every index below.
inline constexpr uint64_t kMostCategories = uint64_t{1} << 24;

/// The digest of what a training sees: of the arrays but /value_digests and /sources, and of the
/// frequency. io/FORMATS.md has the lines of text it is taken of.
std::string SeriesFingerprint(const H5Reader& reader);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_SERIES_LAYOUT_H_
