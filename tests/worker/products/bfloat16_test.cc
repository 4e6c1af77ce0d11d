#include "worker/products/bfloat16.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

float Rounded(float x) { return Widened(RoundToBfloat16(x)); }

TEST(Bfloat16Test, RoundsToTheNearestAndToTheEvenOneOfTwo) {
  constexpr float kStep = 0x1p-7f;  // between 1 and 2
  for (const float x : {0.0f, 1.0f, -1.0f, 1 + kStep, 0x1.fep127f, 0x1p-126f}) {
    EXPECT_EQ(Rounded(x), x) << x;
  }
  EXPECT_EQ(Rounded(1 + 0.49f * kStep), 1.0f);
  EXPECT_EQ(Rounded(1 + 0.51f * kStep), 1 + kStep);
  EXPECT_EQ(Rounded(1 + 0.5f * kStep), 1.0f);
  EXPECT_EQ(Rounded(1 + 1.5f * kStep), 1 + 2 * kStep);
  EXPECT_EQ(Rounded(-1 - 1.5f * kStep), -1 - 2 * kStep);
  EXPECT_EQ(Rounded(std::numeric_limits<float>::max()), HUGE_VALF);
  EXPECT_EQ(Rounded(HUGE_VALF), HUGE_VALF);
  EXPECT_TRUE(std::isnan(Rounded(std::numeric_limits<float>::quiet_NaN())));
  // All of its payload is in the half that goes.
  EXPECT_TRUE(std::isnan(Rounded(std::bit_cast<float>(0x7F800001u))));
}

TEST(Bfloat16Test, RoundsMatricesAsTheyStandAndTransposed) {
  for (const int64_t rows : {1, 5, 16, 33, 200}) {
    for (const int64_t columns : {1, 7, 16, 31, 150}) {
      const int64_t gap = 3, stride = columns + gap, to_stride = columns + 1;
      std::vector<float> from(rows * stride), turned(columns * (rows + gap));
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          const float value = std::sin(static_cast<float>(i * columns + j));
          from[i * stride + j] = turned[j * (rows + gap) + i] = value;
        }
      }
      constexpr Bfloat16 kUntouched = 0xABCD;
      std::vector<Bfloat16> plain(rows * to_stride, kUntouched), back = plain;
      RoundMatrixToBfloat16(rows, columns, from.data(), stride, 1, plain.data(), to_stride);
      RoundMatrixToBfloat16(rows, columns, turned.data(), 1, rows + gap, back.data(), to_stride);
      EXPECT_EQ(plain, back);
      std::vector<float> widened(rows * columns);
      RoundMatrixInFloat32(rows, columns, from.data(), stride, widened.data());
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          ASSERT_EQ(plain[i * to_stride + j], RoundToBfloat16(from[i * stride + j]));
          ASSERT_EQ(widened[i * columns + j], Widened(plain[i * to_stride + j]));
        }
        ASSERT_EQ(plain[i * to_stride + columns], kUntouched);
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::worker
