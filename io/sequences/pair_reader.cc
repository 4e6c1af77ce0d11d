#include <fmt/format.h>

#include "io/errors.h"
#include "io/sequences/example_readers.h"
#include "io/sequences/parallel_lines.h"
#include "io/sequences/source_text.h"
#include "io/sequences/text_columns.h"

namespace lockstep::io {
namespace {

void ReadTable(const std::filesystem::path& path, const SequenceImportOptions& options,
               ExampleSink* sink, ReadingNotes* notes) {
  const TextColumns::Wanted wanted = {
      {options.source_column, options.target_column}, {"--source", "--target"}, false};
  TextColumns columns(path, options, wanted, &notes->replaced);
  Source source{path.string(), SourceBytes(path), 0};
  std::string rooms[2];
  SourceExample example;
  while (columns.Next()) {
    for (int i = 0; i < 2; ++i) example.texts[i] = OneLine(columns.cell(i), &rooms[i]);
    notes->further_columns += columns.has_further() ? 1 : 0;
    sink->Take(example, columns.bytes_read());
    ++source.size;
  }
  notes->sources.push_back(std::move(source));
}

}  // namespace

void ReadPairs(const ImportSource& source, const SequenceImportOptions& options, ExampleSink* sink,
               ReadingNotes* notes) {
  if (source.files.size() == 1) {
    ReadTable(source.files[0], options, sink, notes);
    return;
  }
  ParallelLines lines(source.files, options, &notes->replaced);
  SourceExample example;
  while (lines.Next()) {
    example.texts = {lines.line(0), lines.line(1)};
    sink->Take(example, lines.bytes_read());
  }
  lines.AddSources(&notes->sources);
}

}  // namespace lockstep::io
