#ifndef LOCKSTEP_IO_TEXT_DECODED_SOURCE_H_
#define LOCKSTEP_IO_TEXT_DECODED_SOURCE_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/series/byte_source.h"
#include "io/text/text_decoder.h"

namespace lockstep::io {

/// How the bytes of a file are to be understood.
struct TextEncoding {
  /// Any name that ICU knows.
  std::string name = "utf-8";
  /// A wrong sequence becomes U+FFFD; otherwise it is an InputError.
  bool replace_invalid = false;
};

/// The text of a file or of the standard input ("-"), packed by gzip or not, as UTF-8 and without a
/// byte order mark.
class DecodedSource : public CharSource {
 public:
  /// As ByteSource; InputError for an unknown encoding. `replaced`, which must outlive the source,
  /// counts the wrong sequences that became U+FFFD; may be null.
  DecodedSource(const std::filesystem::path& path, const TextEncoding& encoding,
                uint64_t* replaced = nullptr);

  /// InputError, naming file and line, for bytes that are none of the encoding's.
  size_t Read(std::span<char> out) override;
  const std::string& name() const override { return bytes_.name(); }
  uint64_t bytes_read() const override { return bytes_.bytes_read(); }

 private:
  /// The next block into text_; false at the end.
  bool Decode();
  [[noreturn]] void Fail(const InvalidBytes& invalid) const;

  ByteSource bytes_;
  std::string encoding_;
  TextDecoder decoder_;
  uint64_t* replaced_;
  std::vector<char> block_;
  bool at_start_ = true;
  bool at_end_ = false;
  uint64_t lines_ = 0;  // that ended in the blocks so far
  std::u16string units_;
  std::string text_;
  size_t given_ = 0;  // of text_
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_DECODED_SOURCE_H_
