#ifndef LOCKSTEP_IO_FILES_DIGEST_H_
#define LOCKSTEP_IO_FILES_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace lockstep::io {

/// XXH3 with 128 bits over a stream of bytes; however the stream is cut, the digest is the same.
/// (xxHash specification, https://github.com/Cyan4973/xxHash.) It sees damage, not malice.
class Digest {
 public:
  Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void Update(const void* data, size_t bytes);

  /// 32 hex digits, the most significant first, as Python's xxhash.xxh3_128_hexdigest gives them.
  /// More bytes may follow.
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The digest of one block.
std::string DigestHex(const void* data, size_t bytes);

/// XXH3 with 64 bits of one block, as Python's xxhash.xxh3_64_intdigest gives it.
uint64_t ShortDigest(const void* data, size_t bytes);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_FILES_DIGEST_H_
