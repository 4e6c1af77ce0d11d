#include "io/files/digest.h"

#include <utility>

#include <gtest/gtest.h>

namespace lockstep::io {
namespace {

// XXH3 of no bytes, seed 0: xxHash 0.8's own check values (tests/sanity_test_vectors.h).
TEST(Digest, MatchesThePublishedValues) {
  EXPECT_EQ(DigestHex(nullptr, 0), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(ShortDigest(nullptr, 0), 0x2d06800538d394c2u);
  // python3 -c 'import xxhash; print(xxhash.xxh3_128_hexdigest(b"lockstep"))', and
  // xxh3_64_intdigest.
  EXPECT_EQ(DigestHex("lockstep", 8), "b4ead11c934f0a1e75345b2b871d8c38");
  EXPECT_EQ(ShortDigest("lockstep", 8), 0x2f270043200950ecu);
}

TEST(Digest, IsTheSameHoweverTheStreamIsCut) {
  std::string bytes;
  for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * i);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{240}, size_t{4096}, bytes.size()}) {
    Digest digest;
    digest.Update(bytes.data(), cut);
    digest.Hex();
    Digest moved = std::move(digest);
    moved.Update(bytes.data() + cut, bytes.size() - cut);
    EXPECT_EQ(moved.Hex(), DigestHex(bytes.data(), bytes.size())) << cut;
  }
  bytes[2500] ^= 1;
  EXPECT_NE(DigestHex(bytes.data(), bytes.size()), DigestHex(bytes.data(), bytes.size() - 1));
}

}  // namespace
}  // namespace lockstep::io
