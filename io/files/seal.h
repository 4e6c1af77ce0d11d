#ifndef LOCKSTEP_IO_FILES_SEAL_H_
#define LOCKSTEP_IO_FILES_SEAL_H_

#include <cstdint>
#include <filesystem>
#include <string>

namespace lockstep::io {

/// The first 512 bytes (HDF5's user block) of every file of ours: who wrote it, how long it is, and
/// a digest of all bytes behind the block. It is written last, so a file that has it was whole.
/// Layout: io/FORMATS.md.
struct Seal {
  std::string format;         ///< "lockstep.tokens", "lockstep.checkpoint"
  uint32_t version = 0;       ///< version of that format
  uint64_t length_bytes = 0;  ///< of the whole file, the block included
  int64_t step = 0;           ///< a checkpoint's training step; 0 otherwise
  std::string digest;         ///< XXH3, 128 bits, 32 hex digits, of bytes 512 to the end
};

inline constexpr uint64_t kSealBytes = 512;

/// Whether a file begins as ours do, with the seal's magic and HDF5 behind the seal. InputError: no
/// such file, no right to read it.
bool LooksLikeOurs(const std::filesystem::path& path);

/// Reads the seal and checks its own checksum alone. Errors as ReadSeal.
Seal PeekSeal(const std::filesystem::path& path);

/// Reads the seal and checks its own checksum and the file's length. InputError: no such file, not
/// a file of ours. DamagedFileError: no seal (a writer died), wrong checksum, wrong length.
Seal ReadSeal(const std::filesystem::path& path);

/// ReadSeal, and the digest of all the rest. DamagedFileError when it does not hold.
Seal VerifyFile(const std::filesystem::path& path);

/// Computes the digest and writes the seal into the user block of a closed file. SystemError on I/O
/// errors.
void WriteSeal(const std::filesystem::path& path, const std::string& format, uint32_t version,
               int64_t step);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_FILES_SEAL_H_
