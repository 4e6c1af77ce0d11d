#include "worker/buffer.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

TEST(BufferTest, BeginsOnACacheLineAndLargeOnesOnAHugePage) {
  constexpr size_t kHugePageFloats = size_t{1} << 19;
  Buffer buffer;
  for (const size_t size :
       {size_t{1}, size_t{1000}, kHugePageFloats - 16, kHugePageFloats, 3 * kHugePageFloats + 1}) {
    float* data = buffer.Require(size);
    const auto address = reinterpret_cast<uintptr_t>(data);
    EXPECT_EQ(address % (size < kHugePageFloats ? 64 : size_t{2} << 20), 0u) << size;
    data[0] = data[size - 1] = 1.0f;
    EXPECT_EQ(buffer.Require(size / 2), data) << "it never shrinks";
    EXPECT_EQ(buffer.capacity(), size);
  }
}

}  // namespace
}  // namespace lockstep::worker
