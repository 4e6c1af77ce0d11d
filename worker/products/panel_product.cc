#include "worker/products/panel_product.h"

#include <algorithm>

#include <omp.h>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/products/panel_product.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sums of a tile, one row of three vectors of B and one value of A fill the registers: 4 x 3
// sums of the 16 that SSE4 and AVX2 have, 8 x 3 of the 32 of AVX-512.
constexpr int kVectors = 3;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
constexpr int kRows = 8;
#else
constexpr int kRows = 4;
#endif
// Of a panel, what stays in the first cache level while all rows of A pass by.
constexpr int64_t kResidentBytes = 24 << 10;

int64_t PanelWidth() {
  return kVectors * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
}

int64_t TileRows() { return kRows; }

// One tile of C: C[rows, width] = (first ? bias or 0 : C) + A[rows, depth] B[depth, width], with
// dense rows of B.
struct TileOperands {
  int64_t depth;
  const float *a, *b;
  int64_t a_row_stride, a_column_stride;
  float* c;
  int64_t c_stride;
  bool first;
  const float* bias;  // [width] or nullptr
};

template <int rows>
void Tile(const TileOperands& t) {
  const hn::ScalableTag<float> d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> sums[rows][kVectors];
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = !t.first ? hn::LoadU(d, t.c + r * t.c_stride + v * width)
                   : t.bias ? hn::LoadU(d, t.bias + v * width)
                            : hn::Zero(d);
    }
  }
  const float *a = t.a, *b = t.b;
  for (int64_t k = 0; k < t.depth; ++k, a += t.a_column_stride, b += kVectors * width) {
    const auto b0 = hn::Load(d, b), b1 = hn::Load(d, b + width), b2 = hn::Load(d, b + 2 * width);
    for (int r = 0; r < rows; ++r) {
      const auto x = hn::Set(d, a[r * t.a_row_stride]);
      sums[r][0] = hn::MulAdd(x, b0, sums[r][0]);
      sums[r][1] = hn::MulAdd(x, b1, sums[r][1]);
      sums[r][2] = hn::MulAdd(x, b2, sums[r][2]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, t.c + r * t.c_stride + v * width);
  }
}

template <int rows>
void TileOf(int64_t count, const TileOperands& t) {
  if constexpr (rows > 1) {
    if (count < rows) return TileOf<rows - 1>(count, t);
  }
  Tile<rows>(t);
}

// Rows [first_row, end_row) of A times one panel; `columns` of it are real.
void MultiplyPanel(int64_t first_row, int64_t end_row, int64_t k, int64_t first_column,
                   int64_t columns, const PanelOperands& x, const float* panel) {
  const int64_t width = PanelWidth();
  const int64_t most_depth = kResidentBytes / (width * static_cast<int64_t>(sizeof(float)));
  // The last panel's columns pass through a tile of their own.
  HWY_ALIGN float edge[kRows * kVectors * HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN float edge_bias[kVectors * HWY_MAX_BYTES / sizeof(float)] = {};
  const bool is_edge = columns < width;
  const float* bias = x.bias ? x.bias + first_column : nullptr;
  if (is_edge && bias) {
    std::copy_n(bias, columns, edge_bias);
    bias = edge_bias;
  }
  for (int64_t begin = 0; begin < k; begin += most_depth) {
    const bool first = begin == 0 && !x.accumulate;
    for (int64_t row = first_row; row < end_row; row += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, end_row - row);
      float* c = x.c + row * x.c_stride + first_column;
      const TileOperands tile = {std::min(most_depth, k - begin),
                                 x.a + row * x.a_row_stride + begin * x.a_column_stride,
                                 panel + begin * width,
                                 x.a_row_stride,
                                 x.a_column_stride,
                                 is_edge ? edge : c,
                                 is_edge ? width : x.c_stride,
                                 first,
                                 bias};
      for (int64_t r = 0; r < rows && is_edge && !first; ++r) {
        std::copy_n(c + r * x.c_stride, columns, edge + r * width);
      }
      TileOf<kRows>(rows, tile);
      for (int64_t r = 0; r < rows && is_edge; ++r) {
        std::copy_n(edge + r * width, columns, c + r * x.c_stride);
      }
    }
  }
}

const char* PanelTarget() { return hwy::TargetName(HWY_TARGET); }
bool IsVectorTarget() { return HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128; }

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(PanelWidth);
HWY_EXPORT(TileRows);
HWY_EXPORT(MultiplyPanel);
HWY_EXPORT(PanelTarget);
HWY_EXPORT(IsVectorTarget);

void PanelProduct::Pack(int64_t n, int64_t k, const float* b, int64_t row_stride,
                        int64_t column_stride) {
  n_ = n;
  k_ = k;
  panel_width_ = LOCKSTEP_DISPATCH(PanelWidth)();
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

void PanelProduct::Multiply(int64_t m, const PanelOperands& operands) const {
  const int64_t width = panel_width_, panels = (n_ + width - 1) / width;
  if (m == 0 || panels == 0) return;
  const int64_t tile_rows = LOCKSTEP_DISPATCH(TileRows)();
  // Where the panels alone would leave threads idle, each is cut along the rows, too.
  const int64_t wanted =
      panels >= 4 * omp_get_max_threads() ? 1 : (4 * omp_get_max_threads() + panels - 1) / panels;
  const int64_t tiles = (m + tile_rows - 1) / tile_rows;
  const int64_t parts = std::clamp<int64_t>(wanted, 1, tiles);
#pragma omp parallel for schedule(static)
  for (int64_t task = 0; task < panels * parts; ++task) {
    const int64_t panel = task / parts, part = task % parts;
    LOCKSTEP_DISPATCH(MultiplyPanel)
    (std::min(m, part * tiles / parts * tile_rows),
     std::min(m, (part + 1) * tiles / parts * tile_rows), k_, panel * width,
     std::min(width, n_ - panel * width), operands, panels_.data() + panel * k_ * width);
  }
}

std::string PanelProduct::Name() {
  return std::string("panels ") + LOCKSTEP_DISPATCH(PanelTarget)();
}

bool PanelProduct::HasVectors() { return LOCKSTEP_DISPATCH(IsVectorTarget)(); }

}  // namespace lockstep::worker
#endif
