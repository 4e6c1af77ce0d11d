#include "io/text/corpus_reader.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include "io/errors.h"
#include "io/text/piece_cutter.h"
#include "io/text/text_decoder.h"
#include "io/text/text_file_reader.h"
#include "io/text/text_normalizer.h"

namespace lockstep::io {
namespace {

constexpr char16_t kByteOrderMark = 0xFEFF;

/// Reads, decodes and normalises files and cuts them into parts.
class PartSource {
 public:
  PartSource(const CorpusForm& form, std::span<const TextFile> files)
      : files_(files),
        encoding_(form.encoding),
        raw_(form.tokens == TokenKind::kByte && SameEncoding(form.encoding, "utf-8") &&
             form.normalization == "none" && !form.lowercase),
        decoder_(form.encoding, form.replace_invalid),
        normalizer_(form.normalization, form.lowercase,
                    [this](std::u16string_view text) { cutter_.Feed(text); }),
        part_units_(form.part_units),
        piece_units_(std::min<uint64_t>(form.part_units, TextSegmenter::kMostUnits)),
        cutter_(piece_units_, TextSegmenter::SafeToCut(form.tokens),
                [this](std::u16string_view piece) { AddPiece(piece); }),
        block_(form.block_bytes) {}

  /// The next part; nullopt behind the last one.
  std::optional<TextPart> Next() {
    while (ready_.empty()) {
      if (file_ == files_.size()) return std::nullopt;
      ReadBlock();
    }
    TextPart part = std::move(ready_.front());
    ready_.pop_front();
    return part;
  }

  uint64_t replaced() const { return decoder_.replaced(); }

 private:
  void ReadBlock() {
    if (!reader_) {
      reader_.emplace(files_[file_]);
      at_start_ = true;
    }
    const std::string_view bytes = reader_->Read(block_);
    const bool at_end = bytes.size() < block_.size();
    unclaimed_bytes_ += bytes.size();
    if (raw_) {
      Add().raw = bytes;
    } else {
      Decode(bytes, at_end);
    }
    if (at_end) EndFile();
  }

  void Decode(std::string_view bytes, bool at_end) {
    text_.clear();
    if (const auto invalid = decoder_.Decode(bytes, at_end, &text_)) ThrowInvalid(*invalid);
    std::u16string_view text = text_;
    if (at_start_ && !text.empty()) {
      at_start_ = false;
      if (text.front() == kByteOrderMark) text.remove_prefix(1);
    }
    normalizer_.Feed(text);
  }

  void EndFile() {
    normalizer_.Finish();
    cutter_.Finish();
    TextPart& last = Add();
    last.text = std::exchange(pieces_, {});
    last.ends_file = true;
    reader_.reset();
    ++file_;
  }

  void AddPiece(std::u16string_view piece) {
    pieces_ += piece;
    if (pieces_.size() + piece_units_ > part_units_) Add().text = std::exchange(pieces_, {});
  }

  TextPart& Add() {
    TextPart& part = ready_.emplace_back();
    part.number = parts_++;
    part.file = file_;
    part.bytes = std::exchange(unclaimed_bytes_, 0);
    return part;
  }

  [[noreturn]] void ThrowInvalid(const InvalidBytes& invalid) const {
    throw InputError(fmt::format(
        "{} is not {} at byte offset {}: {}{}. Name the file's own encoding with --encoding, or "
        "import what is wrong as U+FFFD with --invalid replace.",
        files_[file_].path, encoding_, invalid.offset, Hex(invalid.bytes),
        invalid.truncated ? " (the file ends within a character)" : ""));
  }

  std::span<const TextFile> files_;
  std::string encoding_;
  bool raw_;
  TextDecoder decoder_;
  TextNormalizer normalizer_;
  uint64_t part_units_, piece_units_;
  PieceCutter cutter_;
  std::u16string pieces_;  // of the next part
  std::vector<char> block_;
  std::u16string text_;
  size_t file_ = 0;
  std::optional<TextFileReader> reader_;  // of that file
  bool at_start_ = true;                  // of that file's text
  uint64_t unclaimed_bytes_ = 0;          // read, but not yet of a part
  uint64_t parts_ = 0;
  std::deque<TextPart> ready_;
};

/// What one thread finds tokens with.
class PartSegmenter {
 public:
  PartSegmenter(TokenKind kind, PartSink* sink)
      : sink_(sink), segmenter_(kind, "none", false, sink) {}

  std::function<void()> Read(const TextPart& part) {
    sink_->Start(part);
    part.raw.empty() ? segmenter_.Feed(part.text) : segmenter_.FeedBytes(part.raw);
    segmenter_.Finish();
    return sink_->Finish();
  }

 private:
  PartSink* sink_;
  TextSegmenter segmenter_;
};

/// A part on its way through the threads. Errors travel with it, so that the first one in the text
/// is told whatever thread was faster.
struct Passage {
  TextPart part;
  std::function<void()> behind;
  std::exception_ptr error;
};

}  // namespace

void CorpusReader::Read(std::span<const TextFile> files, const SinkOf& sink_of) {
  PartSource source(form_, files);
  std::vector<std::unique_ptr<PartSegmenter>> segmenters(static_cast<size_t>(threads_));
  bool failed = false;
  const auto next = [&](tbb::flow_control& control) -> std::shared_ptr<Passage> {
    auto passage = std::make_shared<Passage>();
    try {
      std::optional<TextPart> part;
      if (!failed) part = source.Next();
      if (part) {
        passage->part = std::move(*part);
      } else {
        control.stop();
      }
    } catch (...) {
      failed = true;
      passage->error = std::current_exception();
    }
    return passage;
  };
  const auto read = [&](std::shared_ptr<Passage> passage) {
    if (passage->error) return passage;
    try {
      const int thread = tbb::this_task_arena::current_thread_index();
      auto& segmenter = segmenters[static_cast<size_t>(thread)];
      if (!segmenter) {
        segmenter = std::make_unique<PartSegmenter>(form_.tokens, &sink_of(thread));
      }
      passage->behind = segmenter->Read(passage->part);
    } catch (...) {
      passage->error = std::current_exception();
    }
    return passage;
  };
  const auto finish = [](const std::shared_ptr<Passage>& passage) {
    if (passage->error) std::rethrow_exception(passage->error);
    passage->behind();
  };
  using enum tbb::filter_mode;
  tbb::task_arena(threads_).execute([&] {
    // Twice as many parts as threads: one to work at, one that waits for its turn.
    tbb::parallel_pipeline(
        static_cast<size_t>(threads_) * 2,
        tbb::make_filter<void, std::shared_ptr<Passage>>(serial_in_order, next) &
            tbb::make_filter<std::shared_ptr<Passage>, std::shared_ptr<Passage>>(parallel, read) &
            tbb::make_filter<std::shared_ptr<Passage>, void>(serial_in_order, finish));
  });
  replaced_ = source.replaced();
}

}  // namespace lockstep::io
