#ifndef LOCKSTEP_TRAINER_DATA_ITEMS_H_
#define LOCKSTEP_TRAINER_DATA_ITEMS_H_

#include <cstdint>

namespace lockstep::trainer {

/// The order in which an epoch takes `count` separate items: a random permutation of 0 to count - 1
/// that is a pure function of (seed, epoch), so that every rank knows it, at any place, without
/// memory. At step s, lane i of the global batch takes item At(s * lanes + i). Source: a Feistel
/// network of Philox rounds over the next power of four, walked until it falls inside (Black and
/// Rogaway, "Ciphers with arbitrary finite domains", 2002).
class ItemOrder {
 public:
  /// 1 <= count <= 2^62.
  ItemOrder(int64_t count, uint64_t seed, int64_t epoch);

  int64_t count() const { return count_; }

  /// 0 <= place < count().
  int64_t At(int64_t place) const;

 private:
  uint64_t Encrypt(uint64_t x) const;

  int64_t count_;
  uint64_t seed_;
  int64_t epoch_;
  int half_bits_;
};

/// About `most` of `count` items, spread over all of them, in their order; most 0: all.
class ItemSample {
 public:
  ItemSample(int64_t count, int64_t most);

  int64_t count() const { return taken_; }
  /// 0 <= place < count().
  int64_t At(int64_t place) const;

 private:
  int64_t all_, taken_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_ITEMS_H_
