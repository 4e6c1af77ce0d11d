#include "worker/panel_product.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/panel_product.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 4 rows x 3 vectors of sums, 3 vectors of B and one of A fill the 16 registers of AVX2.
constexpr int kRows = 4;
constexpr int kVectors = 3;
// Rows of a panel that stay in the first cache level while all rows of A pass by: 24 kB with AVX2.
constexpr int64_t kDepth = 256;

int64_t PanelWidth() {
  return kVectors * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
}

// C[rows, width] = (first ? 0 : C) + A[rows, depth] B[depth, width], dense rows of B.
template <int rows>
void Tile(int64_t depth, bool first, const float* a, int64_t a_stride, const float* b, float* c,
          int64_t c_stride) {
  const hn::ScalableTag<float> d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> sums[rows][kVectors];
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = first ? hn::Zero(d) : hn::LoadU(d, c + r * c_stride + v * width);
    }
  }
  for (int64_t k = 0; k < depth; ++k, b += kVectors * width) {
    const auto b0 = hn::Load(d, b), b1 = hn::Load(d, b + width), b2 = hn::Load(d, b + 2 * width);
    for (int r = 0; r < rows; ++r) {
      const auto x = hn::Set(d, a[r * a_stride + k]);
      sums[r][0] = hn::MulAdd(x, b0, sums[r][0]);
      sums[r][1] = hn::MulAdd(x, b1, sums[r][1]);
      sums[r][2] = hn::MulAdd(x, b2, sums[r][2]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + r * c_stride + v * width);
  }
}

void TileOf(int64_t rows, int64_t depth, bool first, const float* a, int64_t a_stride,
            const float* b, float* c, int64_t c_stride) {
  switch (rows) {
    case 1:
      return Tile<1>(depth, first, a, a_stride, b, c, c_stride);
    case 2:
      return Tile<2>(depth, first, a, a_stride, b, c, c_stride);
    case 3:
      return Tile<3>(depth, first, a, a_stride, b, c, c_stride);
    default:
      return Tile<kRows>(depth, first, a, a_stride, b, c, c_stride);
  }
}

// All rows of A times one panel; `columns` of it are real.
void MultiplyPanel(int64_t m, int64_t k, int64_t columns, const float* a, int64_t a_stride,
                   const float* panel, float* c, int64_t c_stride, bool accumulate) {
  const int64_t width = PanelWidth();
  for (int64_t begin = 0; begin < k; begin += kDepth) {
    const int64_t depth = std::min(kDepth, k - begin);
    const bool first = begin == 0 && !accumulate;
    for (int64_t row = 0; row < m; row += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, m - row);
      const float* tile_a = a + row * a_stride + begin;
      float* tile_c = c + row * c_stride;
      if (columns == width) {
        TileOf(rows, depth, first, tile_a, a_stride, panel + begin * width, tile_c, c_stride);
        continue;
      }
      HWY_ALIGN float edge[kRows * kVectors * HWY_MAX_BYTES / sizeof(float)] = {};
      for (int64_t r = 0; r < rows && !first; ++r) {
        std::copy_n(tile_c + r * c_stride, columns, edge + r * width);
      }
      TileOf(rows, depth, first, tile_a, a_stride, panel + begin * width, edge, width);
      for (int64_t r = 0; r < rows; ++r) {
        std::copy_n(edge + r * width, columns, tile_c + r * c_stride);
      }
    }
  }
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(PanelWidth);
HWY_EXPORT(MultiplyPanel);

void PanelProduct::Pack(int64_t n, int64_t k, const float* b, int64_t row_stride,
                        int64_t column_stride) {
  n_ = n;
  k_ = k;
  panel_width_ = HWY_DYNAMIC_DISPATCH(PanelWidth)();
  const int64_t width = panel_width_, panels = (n + width - 1) / width;
  panels_.Require(panels * k * width);
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t columns = std::min(width, n - panel * width);
    float* to = panels_.data() + panel * k * width;
    const float* from = b + panel * width * column_stride;
    for (int64_t row = 0; row < k; ++row) {
      for (int64_t j = 0; j < width; ++j) {
        to[row * width + j] = j < columns ? from[row * row_stride + j * column_stride] : 0.0f;
      }
    }
  }
}

void PanelProduct::Multiply(int64_t m, const float* a, int64_t a_stride, float* c,
                            bool accumulate) const {
  const int64_t width = panel_width_, panels = (n_ + width - 1) / width;
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < panels; ++panel) {
    HWY_DYNAMIC_DISPATCH(MultiplyPanel)
    (m, k_, std::min(width, n_ - panel * width), a, a_stride, panels_.data() + panel * k_ * width,
     c + panel * width, n_, accumulate);
  }
}

}  // namespace lockstep::worker
#endif
