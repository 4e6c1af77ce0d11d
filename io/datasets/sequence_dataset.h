#ifndef LOCKSTEP_IO_DATASETS_SEQUENCE_DATASET_H_
#define LOCKSTEP_IO_DATASETS_SEQUENCE_DATASET_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/datasets/dataset.h"
#include "io/datasets/stored_sources.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// What examples of a dataset of sequences are for; fields in brackets may be missing.
enum class SequenceForm {
  kLabels,    ///< "text" -> "label"
  kTags,      ///< "text" -> "tags" [and "label"]
  kPairs,     ///< "source" -> "target"
  kCaptions,  ///< "vector" -> "text"
};
std::string_view SequenceFormName(SequenceForm form);  ///< "labels", "tags", "pairs", "captions"

/// One part of each example.
struct SequenceField {
  enum class Kind {
    kTokens,    ///< a sequence of tokens of `vocabulary`
    kTags,      ///< one of `names` for each token of the field "text"
    kCategory,  ///< one of `names`
    kVector,    ///< one number for each of `names`
  };
  std::string name;
  Kind kind = Kind::kTokens;
  Vocabulary vocabulary;
  std::vector<std::string> names;
  /// kVector: of each number over the training examples (population deviation, 1 where that is 0),
  /// as the importer found them, for models that see (number - mean) / deviation. A writer takes
  /// empty ones for 0 and 1; a reader gives one for each name.
  std::vector<double> means = {};
  std::vector<double> deviations = {};
};

/// Examples of one or two sequences, labels, tags or vectors each, open for reading: the dataset of
/// all tasks on separate texts. Movable; one thread at a time; every rank opens the file itself.
/// The lengths of all sequences are in memory (4 bytes each). Layout: io/FORMATS.md.
class SequenceDataset {
 public:
  static constexpr uint64_t kDefaultCacheBytes = uint64_t{1} << 30;

  /// As Dataset::Open. Up to `cache_bytes` of what was read stay in memory (and a piece of 64 kB of
  /// each field at least).
  static SequenceDataset Open(const std::filesystem::path& path,
                              uint64_t cache_bytes = kDefaultCacheBytes);
  SequenceDataset(SequenceDataset&&) noexcept;
  SequenceDataset& operator=(SequenceDataset&&) noexcept;
  ~SequenceDataset();

  const std::filesystem::path& path() const;
  /// Hex digest of what a training sees.
  const std::string& fingerprint() const;
  SequenceForm form() const;
  uint64_t size() const;  ///< examples

  const std::vector<SequenceField>& fields() const;
  /// Its index, for the calls below; -1 when there is none of this name.
  int Find(std::string_view field) const;
  const SequenceField& field(std::string_view name) const;  ///< std::out_of_range

  /// Parts [begin, end) of the examples.
  const std::vector<Split>& splits() const;
  const Split& split(std::string_view name) const;  ///< InputError, as Dataset's
  /// Unit "examples".
  SourceList ReadSources(uint64_t most) const;

  // Where a field is of another kind, an example beyond size() or `out` of another size:
  // std::out_of_range.

  /// kTokens and kTags: how many, at least 1.
  uint32_t Length(int field, uint64_t example) const;
  /// kTokens and kTags: writes Length() ids. DamagedFileError, SystemError.
  void ReadIds(int field, uint64_t example, std::span<int32_t> out) const;
  int32_t ReadCategory(int field, uint64_t example) const;
  void ReadVector(int field, uint64_t example, std::span<float> out) const;

 private:
  struct Impl;
  explicit SequenceDataset(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One example as a writer takes it: an entry for each field, in their order.
struct SequenceValue {
  std::span<const uint32_t> ids;   ///< kTokens and kTags; kCategory: one
  std::span<const float> numbers;  ///< kVector
};

/// Writes one in one pass with bounded memory (4 bytes for each sequence beside buffers), as
/// DatasetWriter does.
class SequenceDatasetWriter {
 public:
  /// `fields` in the order in which SequenceForm names them (std::invalid_argument). InputError
  /// when the folder is missing or not writable.
  SequenceDatasetWriter(const std::filesystem::path& output, SequenceForm form,
                        std::vector<SequenceField> fields);
  ~SequenceDatasetWriter();

  /// Ids must be below the field's size, sequences not empty, tags as many as tokens, numbers
  /// finite: std::invalid_argument.
  void Append(std::span<const SequenceValue> example);
  uint64_t size() const;

  /// `ends`: where train, validation and test end, in examples; each begins where the one before
  /// ends, and the last one given ends at size() (std::invalid_argument). Returns the fingerprint.
  /// InputError when there are no examples.
  std::string Publish(std::span<const uint64_t> ends, const std::vector<Source>& sources);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_SEQUENCE_DATASET_H_
