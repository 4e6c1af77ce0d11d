#include "io/files/digest.h"

#include <new>

#include <fmt/format.h>
#include <xxhash.h>

namespace lockstep::io {
namespace {

std::string ToHex(XXH128_hash_t hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

// Behind a pointer of xxHash's own, because the state wants an alignment of 64 bytes.
struct Digest::State {
  State() : xxh(XXH3_createState()) {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  XXH3_state_t* xxh;
};

Digest::Digest() : state_(std::make_unique<State>()) {}
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::Update(const void* data, size_t bytes) {
  // xxHash takes a null pointer, which an empty vector may give, for an error.
  if (bytes > 0) XXH3_128bits_update(state_->xxh, data, bytes);
}

std::string Digest::Hex() const { return ToHex(XXH3_128bits_digest(state_->xxh)); }

std::string DigestHex(const void* data, size_t bytes) {
  return ToHex(XXH3_128bits(bytes > 0 ? data : "", bytes));
}

uint64_t ShortDigest(const void* data, size_t bytes) {
  return XXH3_64bits(bytes > 0 ? data : "", bytes);
}

}  // namespace lockstep::io
