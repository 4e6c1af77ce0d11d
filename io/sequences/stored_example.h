#ifndef LOCKSTEP_IO_SEQUENCES_STORED_EXAMPLE_H_
#define LOCKSTEP_IO_SEQUENCES_STORED_EXAMPLE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/sequences/name_index.h"
#include "io/sequences/source_example.h"

namespace lockstep::io {

/// A source's example as it waits to be written: its label and tags are numbers by now.
struct StoredExample {
  std::array<std::string_view, 2> texts;
  uint32_t label = 0;
  std::vector<uint32_t> tags;
  std::vector<std::string_view> cells;
  std::vector<float> numbers;
};

/// Replaces `record` by the example's bytes.
void EncodeExample(const SourceExample& example, NameIndex* labels, NameIndex* tags,
                   std::string* record);
/// The inverse; texts and cells lie in the record.
void DecodeExample(std::string_view record, StoredExample* example);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_STORED_EXAMPLE_H_
