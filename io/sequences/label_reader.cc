#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/sequences/example_readers.h"
#include "io/sequences/source_text.h"
#include "io/sequences/text_columns.h"
#include "io/text/text_files.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostTextBytes = size_t{64} << 20;
constexpr size_t kBlockBytes = size_t{1} << 16;

void ReadFile(const fs::path& path, const SequenceImportOptions& options, ExampleSink* sink,
              ReadingNotes* notes) {
  const TextColumns::Wanted wanted = {
      {options.label_column, options.text_column}, {"--label", "--text"}, true};
  TextColumns columns(path, options, wanted, &notes->replaced);
  Source source{path.string(), SourceBytes(path), 0};
  std::string room;
  SourceExample example;
  while (columns.Next()) {
    example.label = CheckedLabel(columns.cell(0), columns.Place());
    example.texts[0] = OneLine(columns.cell(1), &room);
    notes->further_columns += columns.has_further() ? 1 : 0;
    sink->Take(example, columns.bytes_read());
    ++source.size;
  }
  notes->sources.push_back(std::move(source));
}

// All of a file, without the line ends behind it.
std::string ReadText(const fs::path& path, const SequenceImportOptions& options,
                     uint64_t* replaced) {
  const std::unique_ptr<CharSource> source = OpenText(path, options, replaced);
  std::string text;
  for (size_t got = kBlockBytes; got == kBlockBytes;) {
    const size_t size = text.size();
    text.resize(size + kBlockBytes);
    got = source->Read({text.data() + size, kBlockBytes});
    text.resize(size + got);
    if (text.size() > kMostTextBytes) {
      throw InputError(
          fmt::format("{} is longer than {} MB: one text of a class, or something "
                      "else? Cut it, or take it out of the folder.",
                      path.string(), kMostTextBytes >> 20));
    }
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

// The folders in a folder, sorted; counts the files beside them.
std::vector<fs::path> ClassFolders(const fs::path& folder, uint64_t* beside) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with('.')) continue;
    if (entry.is_directory()) {
      folders.push_back(entry.path());
    } else {
      ++*beside;
    }
  }
  std::ranges::sort(folders);
  if (folders.empty()) {
    throw InputError(fmt::format(
        "{} has no folders; a folder of labelled texts has one for each label, named after it, "
        "with the texts in it",
        folder.string()));
  }
  return folders;
}

void ReadFolder(const fs::path& folder, const SequenceImportOptions& options, ExampleSink* sink,
                ReadingNotes* notes) {
  uint64_t bytes_read = 0;
  for (const fs::path& of_class : ClassFolders(folder, &notes->beside_classes)) {
    const std::string name = of_class.filename().string();
    SourceExample example;
    example.label = CheckedLabel(name, of_class.string());
    for (TextFile& file : ListTextFiles({of_class}, options.output)) {
      if (fs::path(file.path).filename().string().starts_with('.')) {  // a file manager's
        ++notes->beside_classes;
        continue;
      }
      const std::string text = ReadText(file.path, options, &notes->replaced);
      std::string room;
      example.texts[0] = OneLine(text, &room);
      bytes_read += file.bytes;
      sink->Take(example, bytes_read);
      notes->sources.push_back({std::move(file.path), file.bytes, 1});
    }
  }
}

}  // namespace

void ReadLabels(const ImportSource& source, const SequenceImportOptions& options, ExampleSink* sink,
                ReadingNotes* notes) {
  std::error_code missing;
  if (fs::is_directory(source.files[0], missing)) {
    ReadFolder(source.files[0], options, sink, notes);
  } else {
    ReadFile(source.files[0], options, sink, notes);
  }
}

}  // namespace lockstep::io
