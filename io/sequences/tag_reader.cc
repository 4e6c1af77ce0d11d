#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/sequences/example_readers.h"
#include "io/sequences/parallel_lines.h"
#include "io/sequences/source_text.h"
#include "io/sequences/word_splitter.h"
#include "io/series/table_rows.h"
#include "io/text/line_reader.h"

namespace lockstep::io {
namespace {

constexpr std::string_view kDocumentStart = "-DOCSTART-";
constexpr size_t kConllUColumns = 10;

std::string Joined(const std::vector<std::string>& words, char between) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

// Between tabs, or between runs of spaces.
void SplitColumns(std::string_view line, bool at_tabs, std::vector<std::string_view>* columns) {
  columns->clear();
  if (at_tabs) {
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find('\t', begin), line.size());
      columns->push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return;
  }
  for (size_t begin = line.find_first_not_of(' '); begin < line.size();) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    columns->push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(' ', end);
  }
}

// "1-2" or "1.1": not a word of its own.
bool IsRangeOrEmptyNode(std::string_view id) {
  const size_t digits = id.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || digits + 1 == id.size()) return false;
  return (id[digits] == '-' || id[digits] == '.') &&
         id.find_first_not_of("0123456789", digits + 1) == std::string_view::npos;
}

/// The sentences of a file in columns.
class ConllReader {
 public:
  ConllReader(const std::filesystem::path& path, const SequenceImportOptions& options,
              ExampleSink* sink, ReadingNotes* notes)
      : options_(options),
        sink_(sink),
        notes_(notes),
        lines_(OpenText(path, options, &notes->replaced)),
        splitter_(options.normalization, options.lowercase) {}

  /// Returns how many sentences there are.
  uint64_t ReadAll() {
    while (const std::optional<std::string_view> line = lines_.Next()) TakeLine(*line);
    EndSentence();
    return sentences_;
  }

 private:
  void TakeLine(std::string_view line) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return EndSentence();
    if (column_count_ == 0) has_tabs_ = line.find('\t') != std::string_view::npos;
    SplitColumns(line, has_tabs_, &columns_);
    if (columns_[0] == kDocumentStart) return EndSentence();
    if (IsComment(line)) return;
    if (column_count_ == 0) column_count_ = columns_.size();
    if (columns_.size() != column_count_) {
      lines_.Fail(fmt::format("found {} columns, expected {} as in the lines before",
                              columns_.size(), column_count_));
    }
    if (column_count_ == kConllUColumns && options_.token_column != 1 &&
        IsRangeOrEmptyNode(columns_[0])) {
      return;
    }
    const std::string_view tag = Column(options_.tag_column, "--tag-column");
    if (tag.empty()) lines_.Fail("found no tag, expected one");
    words_.push_back(Token(Column(options_.token_column, "--token-column")));
    tags_.emplace_back(tag);
  }

  bool IsComment(std::string_view line) const {
    if (!words_.empty() || line[0] != '#') return false;
    if (column_count_ != 0) return columns_.size() != column_count_;
    return columns_.size() < 2 || columns_[0] == "#";
  }

  // By its number from 1; 0: the last one.
  std::string_view Column(size_t number, const char* option) const {
    if (number > columns_.size()) {
      lines_.Fail(
          fmt::format("found {} columns, expected {} as {} says", columns_.size(), number, option));
    }
    return number == 0 ? columns_.back() : columns_[number - 1];
  }

  std::string Token(std::string_view column) {
    const std::vector<std::string>& words = splitter_.Split(column);
    if (words.empty()) lines_.Fail("found no token, expected one");
    if (words.size() > 1) ++notes_->joined_tokens;
    return Joined(words, '_');
  }

  void EndSentence() {
    if (words_.empty()) return;
    const std::string text = Joined(words_, ' ');
    const std::vector<std::string_view> tags(tags_.begin(), tags_.end());
    SourceExample example;
    example.texts[0] = text;
    example.tags = tags;
    sink_->Take(example, lines_.bytes_read());
    ++sentences_;
    words_.clear();
    tags_.clear();
  }

  const SequenceImportOptions& options_;
  ExampleSink* sink_;
  ReadingNotes* notes_;
  LineReader lines_;
  WordSplitter splitter_;
  std::vector<std::string_view> columns_;
  size_t column_count_ = 0;  // of the file, once it is known
  bool has_tabs_ = false;
  std::vector<std::string> words_, tags_;
  uint64_t sentences_ = 0;
};

void ReadParallel(const ImportSource& source, const SequenceImportOptions& options,
                  ExampleSink* sink, ReadingNotes* notes) {
  ParallelLines lines(source.files, options, &notes->replaced);
  WordSplitter token_splitter(options.normalization, options.lowercase);
  WordSplitter tag_splitter("none", false);
  SourceExample example;
  while (lines.Next()) {
    const std::vector<std::string>& tokens = token_splitter.Split(lines.line(0));
    const std::vector<std::string>& tags = tag_splitter.Split(lines.line(1));
    if (tokens.size() != tags.size()) {
      throw InputError(fmt::format("{}: found {} tags, expected {}, as many as {} has tokens.",
                                   lines.Place(1), tags.size(), tokens.size(), lines.Place(0)));
    }
    const std::string text = Joined(tokens, ' ');
    const std::vector<std::string_view> tag_views(tags.begin(), tags.end());
    example.texts[0] = text;
    example.tags = tag_views;
    if (source.files.size() == 3) example.label = CheckedLabel(lines.line(2), lines.Place(2));
    sink->Take(example, lines.bytes_read());
  }
  lines.AddSources(&notes->sources);
}

}  // namespace

void ReadTags(const ImportSource& source, const SequenceImportOptions& options, ExampleSink* sink,
              ReadingNotes* notes) {
  if (source.files.size() > 1) {
    ReadParallel(source, options, sink, notes);
    return;
  }
  const std::filesystem::path& path = source.files[0];
  ConllReader reader(path, options, sink, notes);
  const uint64_t sentences = reader.ReadAll();
  notes->sources.push_back({path.string(), SourceBytes(path), sentences});
}

}  // namespace lockstep::io
