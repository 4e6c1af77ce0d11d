#ifndef LOCKSTEP_IO_SEQUENCES_SOURCE_EXAMPLE_H_
#define LOCKSTEP_IO_SEQUENCES_SOURCE_EXAMPLE_H_

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace lockstep::io {

/// One example as a source has it.
struct SourceExample {
  /// Of the fields of tokens, in their order, UTF-8 (but bytes that are taken as they stand).
  std::array<std::string_view, 2> texts;
  std::string_view label;
  /// One for each token of the first text.
  std::span<const std::string_view> tags;
  /// The features of a table.
  std::span<const std::string_view> cells;
  /// The features of an array.
  std::span<const float> numbers;
};

/// Takes the examples of a source, one after the other.
class ExampleSink {
 public:
  virtual ~ExampleSink() = default;
  /// What the example points to is valid during the call only. `bytes_read` is how far its source
  /// has been read.
  virtual void Take(const SourceExample& example, uint64_t bytes_read) = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_SOURCE_EXAMPLE_H_
