#ifndef LOCKSTEP_IO_SERIES_BYTE_SOURCE_H_
#define LOCKSTEP_IO_SERIES_BYTE_SOURCE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace lockstep::io {

/// The bytes of a text from beginning to end.
class CharSource {
 public:
  virtual ~CharSource() = default;
  /// Fills `out`; fewer bytes only at the end. InputError, SystemError.
  virtual size_t Read(std::span<char> out) = 0;
  /// Whose bytes they are, for messages.
  virtual const std::string& name() const = 0;
  /// Bytes taken from the file so far, as they lie there.
  virtual uint64_t bytes_read() const = 0;
};

/// The bytes of a file or of the standard input ("-"), unpacked where they are packed by gzip.
class ByteSource : public CharSource {
 public:
  /// InputError when it cannot be opened or is no regular file.
  explicit ByteSource(const std::filesystem::path& path);
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource() override;

  /// InputError when packed bytes are damaged or cut short; SystemError on an I/O error.
  size_t Read(std::span<char> out) override;
  /// "standard input" or the path.
  const std::string& name() const override { return name_; }
  uint64_t bytes_read() const override { return bytes_read_; }

 private:
  class Inflater;

  size_t ReadRaw(std::span<char> out);

  std::string name_;
  struct Input;
  std::unique_ptr<Input> input_;
  uint64_t bytes_read_ = 0;
  std::unique_ptr<Inflater> inflater_;  // null: not packed
  std::string begin_;                   // read to find out, not yet given out
};

/// Bytes of a file; 0 for "-". InputError as above.
uint64_t SourceBytes(const std::filesystem::path& path);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_BYTE_SOURCE_H_
