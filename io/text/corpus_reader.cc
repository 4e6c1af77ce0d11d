#include "io/text/corpus_reader.h"

#include <fmt/format.h>

#include "io/errors.h"
#include "io/text/text_file_reader.h"

namespace lockstep::io {
namespace {

constexpr char16_t kByteOrderMark = 0xFEFF;

}  // namespace

CorpusReader::CorpusReader(const CorpusForm& form, TokenSink* sink)
    : encoding_(form.encoding),
      raw_(form.tokens == TokenKind::kByte && SameEncoding(form.encoding, "utf-8") &&
           form.normalization == "none" && !form.lowercase),
      decoder_(form.encoding, form.replace_invalid),
      segmenter_(form.tokens, form.normalization, form.lowercase, sink),
      block_(form.block_bytes) {}

void CorpusReader::Read(const TextFile& file, const std::function<void(uint64_t bytes)>& advance) {
  TextFileReader reader(file);
  bool at_start = true;
  bool at_end = false;
  while (!at_end) {
    const std::string_view bytes = reader.Read(block_);
    at_end = bytes.size() < block_.size();
    if (raw_) {
      segmenter_.FeedBytes(bytes);
    } else {
      FeedText(file, bytes, at_end, &at_start);
    }
    advance(bytes.size());
  }
  segmenter_.Finish();
}

void CorpusReader::FeedText(const TextFile& file, std::string_view bytes, bool at_end,
                            bool* at_start) {
  text_.clear();
  if (const auto invalid = decoder_.Decode(bytes, at_end, &text_)) ThrowInvalid(file, *invalid);
  std::u16string_view text = text_;
  if (*at_start && !text.empty()) {
    *at_start = false;
    if (text.front() == kByteOrderMark) text.remove_prefix(1);
  }
  segmenter_.Feed(text);
}

void CorpusReader::ThrowInvalid(const TextFile& file, const InvalidBytes& invalid) const {
  throw InputError(fmt::format(
      "{} is not {} at byte offset {}: {}{}. Name the file's own encoding with --encoding, or "
      "import what is wrong as U+FFFD with --invalid replace.",
      file.path, encoding_, invalid.offset, Hex(invalid.bytes),
      invalid.truncated ? " (the file ends within a character)" : ""));
}

}  // namespace lockstep::io
