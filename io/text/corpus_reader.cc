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

/// Whether bytes are taken as they stand.
bool TakesBytes(const CorpusForm& form) {
  return form.tokens == TokenKind::kByte && SameEncoding(form.encoding, "utf-8") &&
         form.normalization == "none" && !form.lowercase;
}

/// Decodes and normalises stretches of files.
class PartDecoder {
 public:
  PartDecoder(const CorpusForm& form, std::span<const TextFile> files, TextNormalizer::Take take)
      : files_(files),
        encoding_(form.encoding),
        decoder_(form.encoding, form.replace_invalid),
        normalizer_(form.normalization, form.lowercase, std::move(take)) {}

  /// Bytes of a file behind those before, or from `offset` on, which is 0 or a place where they may
  /// be cut. `last`: a cut follows, or the end of the file.
  void Decode(size_t file, uint64_t offset, std::string_view bytes, bool last) {
    if (starts_) offset_ = offset;
    text_.clear();
    if (const auto invalid = decoder_.Decode(bytes, last, &text_)) ThrowInvalid(file, *invalid);
    std::u16string_view text = text_;
    if (!text.empty()) {
      if (starts_ && offset_ == 0 && text.front() == kByteOrderMark) text.remove_prefix(1);
      starts_ = false;
    }
    normalizer_.Feed(text);
    if (!last) return;
    normalizer_.Finish();
    starts_ = true;
  }

  uint64_t replaced() const { return decoder_.replaced(); }

 private:
  [[noreturn]] void ThrowInvalid(size_t file, const InvalidBytes& invalid) const {
    throw InputError(fmt::format(
        "{} is not {} at byte offset {}: {}{}. Name the file's own encoding with --encoding, or "
        "import what is wrong as U+FFFD with --invalid replace.",
        files_[file].path, encoding_, offset_ + invalid.offset, Hex(invalid.bytes),
        invalid.truncated ? " (the file ends within a character)" : ""));
  }

  std::span<const TextFile> files_;
  std::string encoding_;
  TextDecoder decoder_;
  TextNormalizer normalizer_;
  std::u16string text_;
  bool starts_ = true;   // nothing came out since `offset_`
  uint64_t offset_ = 0;  // of the first byte since the last cut
};

/// Reads files and cuts them into parts.
class PartSource {
 public:
  PartSource(const CorpusForm& form, std::span<const TextFile> files)
      : files_(files),
        takes_bytes_(TakesBytes(form)),
        is_utf8_(SameEncoding(form.encoding, "utf-8")),
        decoder_(form, files, [this](std::u16string_view text) { cutter_.Feed(text); }),
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
      cuts_bytes_ = is_utf8_;
      offset_ = 0;
    }
    const std::string_view bytes = reader_->Read(block_);
    const bool at_end = bytes.size() < block_.size();
    unclaimed_bytes_ += bytes.size();
    if (takes_bytes_) {
      Add().raw = bytes;
    } else if (cuts_bytes_) {
      bytes_ += bytes;
      CutBytes(at_end);
    } else {
      decoder_.Decode(file_, 0, bytes, at_end);
    }
    if (at_end) EndFile();
  }

  // Parts of as many bytes as a part may have units.
  void CutBytes(bool at_end) {
    constexpr uint64_t kManyParts = 16;
    std::string_view rest = bytes_;
    while (rest.size() > part_units_) {
      size_t cut = PlaceToCut(rest.substr(0, part_units_ + 1));
      if (cut == 0) {
        if (!at_end && rest.size() <= kManyParts * part_units_) break;
        cut = PlaceToCut(rest);
      }
      if (cut == 0) {
        // Of what has no such place for so long, every character is looked at.
        cuts_bytes_ = false;
        decoder_.Decode(file_, offset_, rest, at_end);
        bytes_.clear();
        return;
      }
      AddBytes(rest.substr(0, cut));
      rest.remove_prefix(cut);
    }
    bytes_.erase(0, bytes_.size() - rest.size());
  }

  /// The last place with something on either side, 0: there is none. Tokens of every kind are the
  /// same with a cut there (between two spaces it is white space alone that is cut), and nothing is
  /// normalised across it.
  static size_t PlaceToCut(std::string_view bytes) {
    for (size_t at = bytes.size() - 1; at > 0; --at) {
      const bool ascii_follows = static_cast<unsigned char>(bytes[at]) < 0x80;
      if (bytes[at - 1] == '\n' || (bytes[at - 1] == ' ' && ascii_follows)) return at;
    }
    return 0;
  }

  void EndFile() {
    if (cuts_bytes_) {
      AddBytes(bytes_).ends_file = true;
      bytes_.clear();
    } else {
      cutter_.Finish();
      TextPart& last = Add();
      last.text = std::exchange(pieces_, {});
      last.ends_file = true;
    }
    reader_.reset();
    ++file_;
  }

  void AddPiece(std::u16string_view piece) {
    pieces_ += piece;
    if (pieces_.size() + piece_units_ > part_units_) Add().text = std::exchange(pieces_, {});
  }

  TextPart& AddBytes(std::string_view bytes) {
    TextPart& part = Add();
    part.raw = bytes;
    part.offset = offset_;
    offset_ += bytes.size();
    return part;
  }

  TextPart& Add() {
    TextPart& part = ready_.emplace_back();
    part.number = parts_++;
    part.file = file_;
    part.bytes = std::exchange(unclaimed_bytes_, 0);
    return part;
  }

  std::span<const TextFile> files_;
  bool takes_bytes_, is_utf8_;
  PartDecoder decoder_;
  uint64_t part_units_, piece_units_;
  PieceCutter cutter_;
  std::u16string pieces_;  // of the next part
  std::vector<char> block_;
  size_t file_ = 0;
  std::optional<TextFileReader> reader_;  // of that file
  bool cuts_bytes_ = false;               // of that file, so far
  std::string bytes_;                     // of the next parts
  uint64_t offset_ = 0;                   // of these in the file
  uint64_t unclaimed_bytes_ = 0;          // read, but not yet of a part
  uint64_t parts_ = 0;
  std::deque<TextPart> ready_;
};

/// What one thread finds tokens with.
class PartSegmenter {
 public:
  PartSegmenter(const CorpusForm& form, std::span<const TextFile> files, PartSink* sink)
      : takes_bytes_(TakesBytes(form)),
        sink_(sink),
        segmenter_(form.tokens, "none", false, sink),
        decoder_(form, files, [this](std::u16string_view text) { segmenter_.Feed(text); }) {}

  std::function<void()> Read(const TextPart& part) {
    sink_->Start(part);
    if (takes_bytes_) {
      segmenter_.FeedBytes(part.raw);
    } else if (!part.raw.empty()) {
      decoder_.Decode(part.file, part.offset, part.raw, true);
    } else {
      segmenter_.Feed(part.text);
    }
    segmenter_.Finish();
    return sink_->Finish();
  }

  uint64_t replaced() const { return decoder_.replaced(); }

 private:
  bool takes_bytes_;
  PartSink* sink_;
  TextSegmenter segmenter_;
  PartDecoder decoder_;
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
        segmenter = std::make_unique<PartSegmenter>(form_, files, &sink_of(thread));
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
  for (const auto& segmenter : segmenters) replaced_ += segmenter ? segmenter->replaced() : 0;
}

}  // namespace lockstep::io
