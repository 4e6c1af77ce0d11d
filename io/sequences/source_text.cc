#include "io/sequences/source_text.h"

#include <fmt/format.h>

#include "io/errors.h"
#include "io/series/number_text.h"
#include "io/series/table_rows.h"
#include "io/text/printable.h"

namespace lockstep::io {

bool TakesBytes(const SequenceImportOptions& options) {
  const bool bytes = options.form == SequenceForm::kPairs
                         ? options.KindOf("source") == TokenKind::kByte &&
                               options.KindOf("target") == TokenKind::kByte
                         : options.KindOf("text") == TokenKind::kByte;
  return bytes && SameEncoding(options.encoding.name, "utf-8") && options.normalization == "none" &&
         !options.lowercase;
}

std::unique_ptr<CharSource> OpenText(const std::filesystem::path& path,
                                     const SequenceImportOptions& options, uint64_t* replaced) {
  if (TakesBytes(options)) return std::make_unique<ByteSource>(path);
  return std::make_unique<DecodedSource>(path, options.encoding, replaced);
}

std::string_view OneLine(std::string_view text, std::string* room) {
  if (text.find('\n') == std::string_view::npos) return text;
  room->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    const bool pair = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (!pair) room->push_back(text[i] == '\n' ? ' ' : text[i]);
  }
  return *room;
}

std::string_view CheckedLabel(std::string_view label, const std::string& place) {
  label = Trimmed(label);
  if (label.empty()) throw InputError(place + ": found no label, expected one");
  if (!IsUtf8(label)) {
    throw InputError(fmt::format("{}: found {}, expected a label in UTF-8", place, Quoted(label)));
  }
  if (label.find_first_of("\t\n\r") != std::string_view::npos) {
    throw InputError(fmt::format("{}: found {}, expected a label without tabs and line ends", place,
                                 Quoted(label)));
  }
  return label;
}

}  // namespace lockstep::io
