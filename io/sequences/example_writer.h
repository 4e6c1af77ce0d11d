#ifndef LOCKSTEP_IO_SEQUENCES_EXAMPLE_WRITER_H_
#define LOCKSTEP_IO_SEQUENCES_EXAMPLE_WRITER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "io/sequences/caption_columns.h"
#include "io/sequences/sequence_import.h"
#include "io/sequences/stored_example.h"
#include "io/text/text_encoder.h"

namespace lockstep::io {

/// Turns examples into ids and writes them, part by part, and counts what a summary tells.
class ExampleWriter {
 public:
  /// `tags` and `labels` say which of its field's names each number of a stored example is. All
  /// but the options must outlive this; result->fields must be complete.
  ExampleWriter(const SequenceImportOptions& options, const std::vector<uint32_t>& tags,
                const std::vector<uint32_t>& labels, CaptionColumns* columns,
                SequenceImportResult* result);

  /// The next example, of the part under way.
  void Write(const StoredExample& example);
  /// The next part begins.
  void EndPart();
  /// After three parts. Returns the fingerprint. InputError when nothing is left to train on.
  std::string Publish(const std::vector<Source>& sources);

 private:
  /// The ids of all fields of sequences and categories; false when the example is left out.
  bool Encode(const StoredExample& example);
  void Count();

  const std::vector<SequenceField>& fields_;
  const std::vector<uint32_t>& tag_places_;
  const std::vector<uint32_t>& label_places_;
  uint64_t longest_;
  CaptionColumns* columns_;
  SequenceImportResult* result_;
  SequenceDatasetWriter writer_;
  std::deque<TextEncoder> encoders_;  // of the fields of tokens
  int part_ = 0;
  std::vector<uint64_t> ends_;
  std::vector<std::vector<uint32_t>> ids_;  // of each field
  std::vector<float> vector_;
  std::vector<SequenceValue> values_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_EXAMPLE_WRITER_H_
