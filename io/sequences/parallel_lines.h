#ifndef LOCKSTEP_IO_SEQUENCES_PARALLEL_LINES_H_
#define LOCKSTEP_IO_SEQUENCES_PARALLEL_LINES_H_

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/datasets/stored_sources.h"
#include "io/sequences/sequence_import.h"
#include "io/text/line_reader.h"

namespace lockstep::io {

/// Files whose n-th lines belong together.
class ParallelLines {
 public:
  /// `replaced` as for DecodedSource.
  ParallelLines(const std::vector<std::filesystem::path>& files,
                const SequenceImportOptions& options, uint64_t* replaced);

  /// Steps to the next line of all; false at the end. InputError, naming file and line, when one
  /// ends before the others.
  bool Next();
  /// Of a file; valid until the next step.
  std::string_view line(size_t file) const { return lines_[file]; }
  /// "FILE, line 7".
  std::string Place(size_t file) const;
  uint64_t bytes_read() const;
  /// Appends the files, each with all lines.
  void AddSources(std::vector<Source>* sources) const;

 private:
  std::vector<std::filesystem::path> files_;
  std::deque<LineReader> readers_;
  std::vector<std::string_view> lines_;
  uint64_t count_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_PARALLEL_LINES_H_
