#ifndef LOCKSTEP_TESTS_IO_FILE_BYTES_H_
#define LOCKSTEP_TESTS_IO_FILE_BYTES_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace lockstep::io {

inline std::string Bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A new file each time: ext4 flushes one that is cut and written again, which is slow.
inline void PutBytes(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_FILE_BYTES_H_
