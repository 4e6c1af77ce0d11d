#ifndef LOCKSTEP_IO_TEXT_TEXT_DECODER_H_
#define LOCKSTEP_IO_TEXT_TEXT_DECODER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct UConverter;

namespace lockstep::io {

/// Bytes that are not text in the encoding that was named.
struct InvalidBytes {
  uint64_t offset = 0;  ///< of the first of them, from the start of the text
  std::string bytes;
  bool truncated = false;  ///< the text ends within a character
};

/// "E4 B8": bytes as a message shows them.
std::string Hex(std::string_view bytes);

/// True when both names mean the same encoding as far as spelling goes ("UTF8" and "utf-8").
bool SameEncoding(const std::string& left, const std::string& right);

/// Turns bytes of any encoding that ICU knows into UTF-16, block by block: a character may begin in
/// one block and end in another. What came out does not depend on the blocks.
class TextDecoder {
 public:
  /// `replace_invalid`: a wrong sequence becomes U+FFFD and is counted. InputError when ICU does
  /// not know `encoding`; the message suggests near names.
  TextDecoder(const std::string& encoding, bool replace_invalid);
  ~TextDecoder();
  TextDecoder(const TextDecoder&) = delete;
  TextDecoder& operator=(const TextDecoder&) = delete;

  /// Appends the decoded text to `out`. `last` says that the text ends with these bytes; the next
  /// call begins another text. A byte order mark that ICU does not consume itself comes out as
  /// U+FEFF. Returns the first wrong sequence, after which the decoder must not be used again;
  /// always nullopt with `replace_invalid`.
  std::optional<InvalidBytes> Decode(std::string_view bytes, bool last, std::u16string* out);

  /// Wrong sequences replaced so far, in all texts.
  uint64_t replaced() const { return replaced_; }

 private:
  struct Close {
    void operator()(UConverter* converter) const;
  };

  std::optional<InvalidBytes> DecodeByIcu(std::string_view bytes, bool last, std::u16string* out);
  InvalidBytes DescribeInvalid(uint64_t consumed, bool truncated) const;

  bool is_utf8_;
  bool between_characters_ = true;  // of UTF-8, for certain
  std::unique_ptr<UConverter, Close> converter_;
  uint64_t consumed_ = 0;  // bytes of this text in the blocks before
  uint64_t replaced_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_DECODER_H_
