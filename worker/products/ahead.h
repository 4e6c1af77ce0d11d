#ifndef LOCKSTEP_WORKER_PRODUCTS_AHEAD_H_
#define LOCKSTEP_WORKER_PRODUCTS_AHEAD_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include <unistd.h>

namespace lockstep::worker {

/// Floats that stay in a core's second cache level from one time step to the next, about: a quarter
/// of it; 0 where the system does not tell.
inline int64_t NearFloats() {
  static const int64_t floats = sysconf(_SC_LEVEL2_CACHE_SIZE) / 4 / int64_t{sizeof(float)};
  return floats;
}

/// What will be read behind a product and is no longer near then. While the product multiplies,
/// memory has little to do: with AVX-512 each thread fetches its part into the second cache level,
/// about as a parallel loop over lanes deals it out.
class Ahead {
 public:
  void Add(const float* data, int64_t floats) {
    pieces_.at(count_++) = {reinterpret_cast<const char*>(data),
                            floats * static_cast<int64_t>(sizeof(float))};
  }

  /// That of a thread.
  Ahead Of(int64_t thread, int64_t threads) const {
    constexpr int64_t kLine = 64;
    Ahead own = *this;
    for (int i = 0; i < count_; ++i) {
      Piece& piece = own.pieces_[i];
      const int64_t lines = (piece.bytes + kLine - 1) / kLine;
      const int64_t begin = lines * thread / threads * kLine;
      const int64_t end = std::min(piece.bytes, lines * (thread + 1) / threads * kLine);
      piece = {piece.data + begin, end - begin};
    }
    return own;
  }

  /// That are left to fetch.
  int64_t bytes() const {
    int64_t sum = 0;
    for (int i = 0; i < count_; ++i) sum += pieces_[i].bytes;
    return sum;
  }

  /// Where the next so many bytes stand; nullptr when there are no more.
  const void* Take(int64_t bytes) {
    while (count_ > 0 && pieces_[count_ - 1].bytes <= 0) --count_;
    if (count_ == 0) return nullptr;
    Piece& piece = pieces_[count_ - 1];
    const void* data = piece.data;
    piece.data += bytes;
    piece.bytes -= std::min(bytes, piece.bytes);
    return data;
  }

 private:
  struct Piece {
    const char* data = nullptr;
    int64_t bytes = 0;
  };
  std::array<Piece, 4> pieces_;
  int count_ = 0;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_AHEAD_H_
