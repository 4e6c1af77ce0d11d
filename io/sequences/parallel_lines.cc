#include "io/sequences/parallel_lines.h"

#include <optional>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/sequences/source_text.h"

namespace lockstep::io {

ParallelLines::ParallelLines(const std::vector<std::filesystem::path>& files,
                             const SequenceImportOptions& options, uint64_t* replaced)
    : files_(files), lines_(files.size()) {
  for (const std::filesystem::path& file : files) {
    readers_.emplace_back(OpenText(file, options, replaced));
  }
}

bool ParallelLines::Next() {
  size_t ended = 0;
  std::optional<size_t> first_ended, last_going;
  for (size_t i = 0; i < readers_.size(); ++i) {
    const std::optional<std::string_view> line = readers_[i].Next();
    if (line) {
      lines_[i] = *line;
      last_going = i;
    } else {
      ++ended;
      if (!first_ended) first_ended = i;
    }
  }
  if (ended == readers_.size()) return false;
  if (ended > 0) {
    throw InputError(fmt::format(
        "{}: found a line, expected the end of the file: {} has {} lines. The n-th lines of both "
        "must belong together.",
        Place(*last_going), readers_[*first_ended].name(), count_));
  }
  ++count_;
  return true;
}

std::string ParallelLines::Place(size_t file) const {
  return fmt::format("{}, line {}", readers_[file].name(), readers_[file].line_number());
}

uint64_t ParallelLines::bytes_read() const {
  uint64_t bytes = 0;
  for (const LineReader& reader : readers_) bytes += reader.bytes_read();
  return bytes;
}

void ParallelLines::AddSources(std::vector<Source>* sources) const {
  for (const std::filesystem::path& file : files_) {
    sources->push_back({file.string(), SourceBytes(file), count_});
  }
}

}  // namespace lockstep::io
