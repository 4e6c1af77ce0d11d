#ifndef LOCKSTEP_IO_ERRORS_H_
#define LOCKSTEP_IO_ERRORS_H_

#include <stdexcept>
#include <string>

namespace lockstep::io {

/// Something that the user gave is wrong: a path that does not exist, a file of another format,
/// text in another encoding, no right to read or write. The message says what, where and what to
/// do.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A file of ours that is truncated or damaged: its seal, a checksum or a digest does not hold.
class DamagedFileError : public InputError {
 public:
  using InputError::InputError;
};

/// The system failed while we worked: full disk, failed fsync, I/O error. Files that stood before
/// still stand.
class SystemError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_ERRORS_H_
