#include "worker/products/panel_product.h"

#include <algorithm>
#include <type_traits>

#include <omp.h>

#include "worker/products/bfloat16.h"
#include "worker/products/instruction_set.h"

#ifndef LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_CC_  // this file is included once for each target
#define LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_CC_
namespace lockstep::worker {

// Some rows of A, some columns of B.
struct PanelPart {
  int64_t first_row, end_row;
  int64_t first_column, columns;
  int64_t depth;  // of A's Elements and the panel's: K, or the pairs of it
  const void* panel;
};

template <class Element>
struct LeftOperand {
  const Element* data;
  int64_t row_stride, column_stride;
};

}  // namespace lockstep::worker
#endif

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

using D = hn::ScalableTag<float>;
using Pairs = hn::RebindToUnsigned<D>;
using Vector = hn::Vec<D>;

// How a tile's sums grow. Element is what A and B hold: a float, or the pair of bfloat16 of two k;
// Factor a vector of what is multiplied. An Element's products are added in kParts parts.
struct InFloat32 {
  using Element = float;
  using Factor = Vector;
  static constexpr int kParts = 1, kTileRows = kRows;
  template <int part>
  static HWY_INLINE Factor Load(const float* b) {
    return hn::Load(D(), b);
  }
  template <int part>
  static HWY_INLINE Factor Spread(float a) {
    return hn::Set(D(), a);
  }
  static HWY_INLINE Vector Add(Factor a, Factor b, Vector sum) { return hn::MulAdd(a, b, sum); }
};

// As the instructions for it do: first the product of the upper halves, then that of the lower
// ones.
struct InBf16Emulated {
  using Element = uint32_t;
  using Factor = Vector;
  // Both halves of A and B need registers at once.
  static constexpr int kParts = 2, kTileRows = kRows / 2;
  template <int part>
  static HWY_INLINE Factor Load(const uint32_t* b) {
    return Half<part>(hn::Load(Pairs(), b));
  }
  template <int part>
  static HWY_INLINE Factor Spread(uint32_t a) {
    return Half<part>(hn::Set(Pairs(), a));
  }
  static HWY_INLINE Vector Add(Factor a, Factor b, Vector sum) { return hn::MulAdd(a, b, sum); }

 private:
  template <int part>
  static HWY_INLINE Factor Half(hn::Vec<Pairs> pairs) {
    const auto upper = hn::And(pairs, hn::Set(Pairs(), 0xFFFF0000u));
    return hn::BitCast(D(), part == 0 ? upper : hn::ShiftLeft<16>(pairs));
  }
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// Highway 1.0.3 has no target with AVX512_BF16, so the compiler must not know that it is used here.
struct InBf16 {
  using Element = uint32_t;
  using Factor = hn::Vec<Pairs>;
  static constexpr int kParts = 1, kTileRows = kRows;
  template <int part>
  static HWY_INLINE Factor Load(const uint32_t* b) {
    return hn::Load(Pairs(), b);
  }
  template <int part>
  static HWY_INLINE Factor Spread(uint32_t a) {
    return hn::Set(Pairs(), a);
  }
  static HWY_INLINE Vector Add(Factor a, Factor b, Vector sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
    return sum;
  }
};
#else
using InBf16 = InBf16Emulated;
#endif

// One tile of C: C[rows, width] = (first ? bias or 0 : C) + A[rows, depth] B[depth, width], with
// dense rows of B; `depth` counts Elements.
template <class Element>
struct TileOperands {
  int64_t depth;
  const Element *a, *b;
  int64_t a_row_stride, a_column_stride;
  float* c;
  int64_t c_stride;
  bool first;
  const float* bias;  // [width] or nullptr
};

// The part's products of a[r * a_row_stride] and three vectors at b.
template <class Arithmetic, int part, int rows, class Element>
HWY_INLINE void AddPart(const Element* a, int64_t a_row_stride, const Element* b,
                        Vector (&sums)[rows][kVectors]) {
  const auto width = static_cast<int64_t>(hn::Lanes(D()));
  const auto b0 = Arithmetic::template Load<part>(b),
             b1 = Arithmetic::template Load<part>(b + width),
             b2 = Arithmetic::template Load<part>(b + 2 * width);
  for (int r = 0; r < rows; ++r) {
    const auto x = Arithmetic::template Spread<part>(a[r * a_row_stride]);
    sums[r][0] = Arithmetic::Add(x, b0, sums[r][0]);
    sums[r][1] = Arithmetic::Add(x, b1, sums[r][1]);
    sums[r][2] = Arithmetic::Add(x, b2, sums[r][2]);
  }
}

template <class Arithmetic, int rows>
void Tile(const TileOperands<typename Arithmetic::Element>& t) {
  const D d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  Vector sums[rows][kVectors];
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = !t.first ? hn::LoadU(d, t.c + r * t.c_stride + v * width)
                   : t.bias ? hn::LoadU(d, t.bias + v * width)
                            : hn::Zero(d);
    }
  }
  const auto *a = t.a, *b = t.b;
  for (int64_t k = 0; k < t.depth; ++k, a += t.a_column_stride, b += kVectors * width) {
    AddPart<Arithmetic, 0>(a, t.a_row_stride, b, sums);
    if constexpr (Arithmetic::kParts == 2) AddPart<Arithmetic, 1>(a, t.a_row_stride, b, sums);
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, t.c + r * t.c_stride + v * width);
  }
}

template <class Arithmetic, int rows>
void TileOf(int64_t count, const TileOperands<typename Arithmetic::Element>& t) {
  if constexpr (rows > 1) {
    if (count < rows) return TileOf<Arithmetic, rows - 1>(count, t);
  }
  Tile<Arithmetic, rows>(t);
}

// Rows [first_row, end_row) of A times one panel; `columns` of it are real. A and its strides are
// `a`'s, not those of `x`.
template <class Arithmetic>
void Multiply(const PanelPart& part, const LeftOperand<typename Arithmetic::Element>& a,
              const PanelOperands& x) {
  using Element = typename Arithmetic::Element;
  constexpr int kTileRows = Arithmetic::kTileRows;
  const auto* panel = static_cast<const Element*>(part.panel);
  const int64_t width = PanelWidth();
  const int64_t most_depth = kResidentBytes / (width * static_cast<int64_t>(sizeof(Element)));
  // The last panel's columns pass through a tile of their own.
  HWY_ALIGN float edge[kRows * kVectors * HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN float edge_bias[kVectors * HWY_MAX_BYTES / sizeof(float)] = {};
  const bool is_edge = part.columns < width;
  const float* bias = x.bias ? x.bias + part.first_column : nullptr;
  if (is_edge && bias) {
    std::copy_n(bias, part.columns, edge_bias);
    bias = edge_bias;
  }
  for (int64_t begin = 0; begin < part.depth; begin += most_depth) {
    const bool first = begin == 0 && !x.accumulate;
    for (int64_t row = part.first_row; row < part.end_row; row += kTileRows) {
      const int64_t rows = std::min<int64_t>(kTileRows, part.end_row - row);
      float* c = x.c + row * x.c_stride + part.first_column;
      const TileOperands<Element> tile = {std::min(most_depth, part.depth - begin),
                                          a.data + row * a.row_stride + begin * a.column_stride,
                                          panel + begin * width,
                                          a.row_stride,
                                          a.column_stride,
                                          is_edge ? edge : c,
                                          is_edge ? width : x.c_stride,
                                          first,
                                          bias};
      for (int64_t r = 0; r < rows && is_edge && !first; ++r) {
        std::copy_n(c + r * x.c_stride, part.columns, edge + r * width);
      }
      TileOf<Arithmetic, kTileRows>(rows, tile);
      for (int64_t r = 0; r < rows && is_edge; ++r) {
        std::copy_n(edge + r * width, part.columns, c + r * x.c_stride);
      }
    }
  }
}

void MultiplyFloat32(const PanelPart& part, const PanelOperands& x) {
  Multiply<InFloat32>(part, {x.a, x.a_row_stride, x.a_column_stride}, x);
}
void MultiplyBf16(const PanelPart& part, const LeftOperand<uint32_t>& a, const PanelOperands& x) {
  Multiply<InBf16>(part, a, x);
}
void MultiplyBf16Emulated(const PanelPart& part, const LeftOperand<uint32_t>& a,
                          const PanelOperands& x) {
  Multiply<InBf16Emulated>(part, a, x);
}
// Whether InBf16 is made of instructions for it.
bool KnowsBf16() { return !std::is_same_v<InBf16, InBf16Emulated>; }

const char* PanelTarget() { return hwy::TargetName(HWY_TARGET); }
bool IsVectorTarget() { return HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128; }

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(PanelWidth);
HWY_EXPORT(TileRows);
HWY_EXPORT(MultiplyFloat32);
HWY_EXPORT(MultiplyBf16);
HWY_EXPORT(MultiplyBf16Emulated);
HWY_EXPORT(KnowsBf16);
HWY_EXPORT(PanelTarget);
HWY_EXPORT(IsVectorTarget);

namespace {

bool UsesBf16Instructions() { return HasBfloat16Instructions() && LOCKSTEP_DISPATCH(KnowsBf16)(); }

int64_t PairsOf(int64_t k) { return (k + 1) / 2; }

// A as MultiplyBf16 takes it. Each thread has its own, so that threads may multiply at once.
LeftOperand<uint32_t> RoundedPairs(int64_t m, int64_t k, const PanelOperands& x) {
  static thread_local Buffer buffer;
  const int64_t pairs = PairsOf(k);
  auto* to = reinterpret_cast<Bfloat16*>(buffer.Require(m * pairs));
  RoundToBfloat16(m, k, x.a, x.a_row_stride, x.a_column_stride, to, 2 * pairs);
  if (k % 2 != 0) {
    for (int64_t i = 0; i < m; ++i) to[i * 2 * pairs + k] = 0;
  }
  return {reinterpret_cast<const uint32_t*>(to), pairs, 1};
}

}  // namespace

void PanelProduct::Pack(int64_t n, int64_t k, const float* b, int64_t row_stride,
                        int64_t column_stride, Precision precision) {
  n_ = n;
  k_ = k;
  precision_ = precision;
  panel_width_ = LOCKSTEP_DISPATCH(PanelWidth)();
  const bool rounds = precision == Precision::kBf16;
  const int64_t width = panel_width_, panels = (n + width - 1) / width;
  const int64_t depth = rounds ? PairsOf(k) : k;
  panels_.Require(panels * depth * width);
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t columns = std::min(width, n - panel * width);
    float* to = panels_.data() + panel * depth * width;
    const float* from = b + panel * width * column_stride;
    for (int64_t row = 0; row < depth && !rounds; ++row) {
      for (int64_t j = 0; j < width; ++j) {
        to[row * width + j] = j < columns ? from[row * row_stride + j * column_stride] : 0.0f;
      }
    }
    if (!rounds) continue;
    auto* pairs = reinterpret_cast<Bfloat16*>(to);
    for (int64_t row = 0; row < 2 * depth; ++row) {
      for (int64_t j = 0; j < width; ++j) {
        const bool is_real = row < k && j < columns;
        pairs[(row / 2 * width + j) * 2 + row % 2] =
            is_real ? RoundToBfloat16(from[row * row_stride + j * column_stride]) : 0;
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
  const bool rounds = precision_ == Precision::kBf16, emulates = !UsesBf16Instructions();
  const int64_t depth = rounds ? PairsOf(k_) : k_;
  LeftOperand<uint32_t> a = {};
  if (rounds) a = RoundedPairs(m, k_, operands);
#pragma omp parallel for schedule(static)
  for (int64_t task = 0; task < panels * parts; ++task) {
    const int64_t panel = task / parts, row_part = task % parts;
    const PanelPart part = {std::min(m, row_part * tiles / parts * tile_rows),
                            std::min(m, (row_part + 1) * tiles / parts * tile_rows),
                            panel * width,
                            std::min(width, n_ - panel * width),
                            depth,
                            panels_.data() + panel * depth * width};
    if (!rounds) {
      LOCKSTEP_DISPATCH(MultiplyFloat32)(part, operands);
    } else if (emulates) {
      LOCKSTEP_DISPATCH(MultiplyBf16Emulated)(part, a, operands);
    } else {
      LOCKSTEP_DISPATCH(MultiplyBf16)(part, a, operands);
    }
  }
}

std::string PanelProduct::Name(Precision precision) {
  const std::string name = std::string("panels ") + LOCKSTEP_DISPATCH(PanelTarget)();
  if (precision == Precision::kFloat32) return name;
  return name + (UsesBf16Instructions() ? " in bf16" : " in bf16, emulated");
}

bool PanelProduct::HasVectors() { return LOCKSTEP_DISPATCH(IsVectorTarget)(); }

}  // namespace lockstep::worker
#endif
