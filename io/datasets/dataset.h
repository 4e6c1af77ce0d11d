#ifndef LOCKSTEP_IO_DATASETS_DATASET_H_
#define LOCKSTEP_IO_DATASETS_DATASET_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/datasets/stored_sources.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// A contiguous part [begin, end) of the token stream.
struct Split {
  std::string name;  ///< "train", "validation", "test"
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t size() const { return end - begin; }
};

/// A token-stream dataset, open for reading. Movable; one thread at a time. Not collective: every
/// rank opens the file itself and reads its own hyperslabs. Layout: io/FORMATS.md.
class Dataset {
 public:
  /// Opens and checks format, version, length and seal (not the digest of the whole: see VerifyFile
  /// in io/files/seal.h). InputError when missing or of another format; DamagedFileError when
  /// truncated or damaged.
  static Dataset Open(const std::filesystem::path& path);
  Dataset(Dataset&&) noexcept;
  Dataset& operator=(Dataset&&) noexcept;
  ~Dataset();

  const std::filesystem::path& path() const;
  const Vocabulary& vocabulary() const;
  const std::vector<Split>& splits() const;
  uint64_t size_tokens() const;
  /// Hex digest of what a training sees: tokens, vocabulary, splits. Independent of paths and of
  /// chunking.
  const std::string& fingerprint() const;

  /// InputError, naming the splits there are, when there is none of this name.
  const Split& split(std::string_view name) const;

  /// The sources, in the order of their tokens: how many there are, and the first `most` of them.
  /// Opening a dataset reads nothing of them; this reads and checks them all, in pieces.
  /// DamagedFileError.
  SourceList ReadSources(uint64_t most) const;

  /// Tokens [begin, begin + out.size()) of the whole stream. Requires the range to be inside it.
  /// DamagedFileError when a checksum does not hold; SystemError on I/O errors.
  void Read(uint64_t begin, std::span<int32_t> out) const;

 private:
  struct Impl;
  explicit Dataset(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// train, validation and test.
inline constexpr size_t kMostSplits = 3;

/// InputError unless these are one to three finite shares, none negative, and one above 0.
void CheckSplitShares(std::span<const double> shares);

/// The ends of training, validation and test when `size` is cut at the cumulative shares, rounded
/// down; the first begins at 0, each other where the one before ends.
std::array<uint64_t, kMostSplits> SplitEnds(std::span<const double> shares, uint64_t size);

/// Writes a dataset in one pass with bounded memory. Everything goes to a new name in the output's
/// folder; Publish makes it appear. Destroyed without Publish, it removes what it wrote.
class DatasetWriter {
 public:
  /// InputError when the folder is missing or not writable.
  DatasetWriter(const std::filesystem::path& output, Vocabulary vocabulary);
  ~DatasetWriter();
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;

  /// Appends tokens; every id must be below the vocabulary's size. SystemError on a full disk.
  void Append(std::span<const uint32_t> tokens);
  uint64_t size_tokens() const;

  /// Writes splits and sources, verifies, seals, syncs and renames (io/files/publish.h). `shares`
  /// as SplitEnds. Returns the fingerprint. InputError when there are no tokens.
  std::string Publish(std::span<const double> shares, const std::vector<Source>& sources);
  /// `ends`: where train, validation and test end, in tokens; each begins where the one before
  /// ends. std::invalid_argument unless they go up and the last one is the number of tokens.
  std::string Publish(std::span<const uint64_t> ends, const std::vector<Source>& sources);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_DATASET_H_
