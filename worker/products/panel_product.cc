#include "worker/products/panel_product.h"

#include <algorithm>
#include <cstring>

#include <omp.h>

#include "worker/parallel_for.h"
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
  bool is_near;  // it and the next one are in the second cache level
};

// How many vectors the next panel has when so many are left.
inline int64_t PanelVectors(int64_t left) { return left == 4 ? 2 : std::min<int64_t>(left, 3); }

// The panels of B, and what of them products by blocks of A take at a time: vectors [first_vector,
// end_vector), whole panels, and rows [begin, end) of K.
struct PanelRow {
  int64_t n, depth;
  const float* data;
  int64_t first_vector, end_vector, begin, end;
};

// A, or some of it, whose rows are contiguous.
template <class Of>
struct LeftOperand {
  using Element = Of;
  static constexpr int64_t column_stride = 1;
  const Element* data;
  int64_t row_stride;
  // Elements from so many rows' first to the next ones', `depth` of which a tile takes.
  int64_t Length(int64_t rows, int64_t) const { return rows * row_stride; }
};

}  // namespace lockstep::worker
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/products/panel_product.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "worker/products/bfloat16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sums of a tile, one row of three vectors of B and one value of A fill the registers: 4 x 3
// sums of the 16 that SSE4 and AVX2 have, 8 x 3 of the 32 of AVX-512.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
constexpr int kRows = 8;
#else
constexpr int kRows = 4;
#endif
// Of a panel, what all rows of A pass by before the rest follows. With AVX-512 it comes from the
// second cache level, which is wide and large there, so that C is read and written less often (64
// rows, K and N 128 to 4096, 2 threads of an Emerald Rapids, in turns with oneDNN's: 0.95 of its
// rate with 24 KB of the first level, 1.00 so; medians of 12).
constexpr int64_t kResidentBytes = int64_t{kRows == 8 ? 96 : 24} << 10;
// Rows of A that all panels pass by before the next ones, with so much of K: in half of the second
// level on AVX2; with AVX-512 in a tenth of a large one, so that a thread has many to take.
constexpr int64_t kBlockRows = kRows == 8 ? 96 : 192;
// Whether A is copied for that. With AVX-512 its rows are read where they are, if they are
// contiguous (2 threads of an Emerald Rapids, LSTM of 512, 64 x 64, ms in quiet minutes, the copy
// of B included: X W^T 26.8, packed 27.6, oneDNN 28.1; dG W 27.8, 29.2, 26.9; of 256 7.0, 7.4, 7.3
// and 7.1, 7.7, 7.0; while others use the cores, too, oneDNN is 10% behind both).
constexpr bool kPacksRows = kRows == 4;
// Of the panel after this one, fetched into the second level with four rounds of a tile: a panel
// while six tiles pass by. (The same processor, 24 tiles over panels of 4 MB: 91% of the limit
// without, 96% with it; over one panel 98%.)
constexpr int64_t kNextBytes = kRows == 8 ? 128 : 0;

int64_t VectorWidth() { return static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>())); }

int64_t TileRows() { return kRows; }

// The same in Elements of a panel of three vectors.
int64_t MostDepth() { return kResidentBytes / (3 * VectorWidth() * int64_t{sizeof(float)}); }

// Blocks of `depth` Elements of K have so many, all alike: a short last one would read and write C
// for little. Of all panels, since the sums over a block are rounded before they are added to C: so
// that a row's bits are the same in every tile.
int64_t BlockDepth(int64_t depth) {
  const int64_t blocks = (depth - 1) / MostDepth() + 1;
  return (depth - 1) / blocks + 1;
}

int64_t BlockFloats() { return kBlockRows * MostDepth(); }

int64_t BlockRows() { return kBlockRows; }

using D = hn::ScalableTag<float>;
using Pairs = hn::RebindToUnsigned<D>;
using Vector = hn::Vec<D>;

// How a tile's sums grow. Element is what A and B hold: a float, or the pair of bfloat16 of two k;
// Factor a vector of what is multiplied.
struct InFloat32 {
  using Element = float;
  using Factor = Vector;
  static HWY_INLINE Factor Load(const float* b) { return hn::Load(D(), b); }
  static HWY_INLINE Factor Spread(const float* a) { return hn::Set(D(), *a); }
  static HWY_INLINE Vector Add(Factor a, Factor b, Vector sum) { return hn::MulAdd(a, b, sum); }
};

#if LOCKSTEP_HAS_BFLOAT16_PAIRS
struct InBf16 {
  using Element = uint32_t;
  using Factor = hn::Vec<Pairs>;
  static HWY_INLINE Factor Load(const uint32_t* b) { return hn::Load(Pairs(), b); }
  static HWY_INLINE Factor Spread(const uint32_t* a) {
    uint32_t pair;
    std::memcpy(&pair, a, sizeof pair);  // its halves were written as such
    return hn::Set(Pairs(), pair);
  }
  static HWY_INLINE Vector Add(Factor a, Factor b, Vector sum) { return AddPairs(a, b, sum); }
};
#endif

// A tile of A as PackTiles leaves it.
struct PackedTile {
  using Element = float;
  static constexpr int64_t row_stride = 1, column_stride = kRows;
  const float* data;
  static int64_t Length(int64_t rows, int64_t depth) { return rows * depth; }
};

// One tile of C: C[rows, width] = (first ? bias or 0 : C) + A[rows, depth] B[depth, width], with
// dense rows of B; `depth` counts Elements.
template <class Left>
struct TileOperands {
  int64_t depth;
  Left a;
  const typename Left::Element* b;
  float* c;
  int64_t c_stride;
  bool first;
  const float* bias;  // [width] or nullptr
  const void* next;   // what will be read when all tiles of this panel are done, from here on
};

// GCC 12 keeps the sums in registers only where each of them has been named by a number before it
// looks: where all loops over them are unrolled early, as these pragmas demand. Without them it
// wrote every sum to the stack once in four rounds (AVX-512, A in blocks, an LSTM's products of
// 512: 43 to 64% of the limit, then 70 to 74).
#define LOCKSTEP_ROWS _Pragma("GCC unroll 16") for (int r = 0; r < rows; ++r)
#define LOCKSTEP_VECTORS _Pragma("GCC unroll 4") for (int v = 0; v < vectors; ++v)

template <class Arithmetic, int rows, int vectors, class Left>
void Tile(const TileOperands<Left>& t) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  Vector sums[rows][vectors];
  LOCKSTEP_ROWS LOCKSTEP_VECTORS sums[r][v] = hn::Zero(d);
  const auto *a = t.a.data, *b = t.b;
  const auto* next = static_cast<const char*>(t.next);
  // Counters and pointers are a fifth of the instructions of a round. Where another thread shares
  // the core, they matter: 7 to 18% (AVX2; 8 rounds at a time are no better).
#pragma GCC unroll 4
  for (int64_t k = 0; k < t.depth; ++k, a += t.a.column_stride, b += vectors * lanes) {
    // Each line more than once, but in a loop that is unrolled when registers have been given out:
    // unrolled before, it moves some of the sums to and fro.
    if constexpr (kNextBytes > 0) {
      __builtin_prefetch(next, 0, 2);
      next += kNextBytes / 4;
    }
    typename Arithmetic::Factor factors[vectors];
    LOCKSTEP_VECTORS factors[v] = Arithmetic::Load(b + v * lanes);
    LOCKSTEP_ROWS {
      const auto x = Arithmetic::Spread(a + r * t.a.row_stride);
      LOCKSTEP_VECTORS sums[r][v] = Arithmetic::Add(x, factors[v], sums[r][v]);
    }
  }
  const auto c = [&](int r, int v) { return t.c + r * t.c_stride + v * lanes; };
  if (t.first && !t.bias) {
    LOCKSTEP_ROWS LOCKSTEP_VECTORS hn::StoreU(sums[r][v], d, c(r, v));
    return;
  }
  const float* to_add = t.first ? t.bias : t.c;
  const int64_t stride = t.first ? 0 : t.c_stride;
  LOCKSTEP_ROWS LOCKSTEP_VECTORS {
    const auto before = hn::LoadU(d, to_add + r * stride + v * lanes);
    hn::StoreU(hn::Add(before, sums[r][v]), d, c(r, v));
  }
}

#undef LOCKSTEP_ROWS
#undef LOCKSTEP_VECTORS

template <class Arithmetic, int rows, int vectors, class Left>
void TileOf(int64_t count, const TileOperands<Left>& t) {
  if constexpr (rows > 1) {
    if (count < rows) return TileOf<Arithmetic, rows - 1, vectors>(count, t);
  }
  Tile<Arithmetic, rows, vectors>(t);
}

// Where a panel's tile number `tile` begins to fetch the next panel, of `width`; behind its end,
// or without one, what is `ahead`, or else what the tile reads itself.
const void* NextOf(const void* next, int64_t width, int64_t tile, int64_t depth, Ahead* ahead,
                   const void* own) {
  const int64_t bytes = depth * kNextBytes / 4, fetched = tile * bytes;
  if (next && fetched < depth * width * int64_t{sizeof(float)}) {
    return static_cast<const char*>(next) + fetched;
  }
  const void* data = ahead ? ahead->Take(bytes) : nullptr;
  return data ? data : own;
}

// to[k * to_stride + r] = from[r * row_stride + k], of `rows` rows of `depth`.
void Transpose(int64_t rows, int64_t depth, const float* from, int64_t row_stride, float* to,
               int64_t to_stride) {
  constexpr int64_t kSome = 64;  // of k: as much of `to` as stays near
  for (int64_t begin = 0; begin < depth; begin += kSome) {
    const int64_t end = std::min(begin + kSome, depth);
    int64_t whole_rows = 0, whole_end = begin;
#if HWY_TARGET != HWY_SCALAR
    const hn::Full128<float> d;
    const hn::Full128<uint64_t> pairs;
    whole_rows = rows / 4 * 4;
    whole_end = begin + (end - begin) / 4 * 4;
    for (int64_t r = 0; r < whole_rows; r += 4) {
      for (int64_t k = begin; k < whole_end; k += 4) {
        const float* at = from + r * row_stride + k;
        const auto a = hn::LoadU(d, at), b = hn::LoadU(d, at + row_stride),
                   c = hn::LoadU(d, at + 2 * row_stride), e = hn::LoadU(d, at + 3 * row_stride);
        const auto low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)),
                   low_of_others = hn::BitCast(pairs, hn::InterleaveLower(d, c, e)),
                   up = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b)),
                   up_of_others = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
        const auto store = [&](int64_t i, auto column) {
          hn::StoreU(hn::BitCast(d, column), d, to + (k + i) * to_stride + r);
        };
        store(0, hn::InterleaveLower(pairs, low, low_of_others));
        store(1, hn::InterleaveUpper(pairs, low, low_of_others));
        store(2, hn::InterleaveLower(pairs, up, up_of_others));
        store(3, hn::InterleaveUpper(pairs, up, up_of_others));
      }
    }
#endif
    for (int64_t k = begin; k < end; ++k) {
      for (int64_t r = k < whole_end ? whole_rows : 0; r < rows; ++r) {
        to[k * to_stride + r] = from[r * row_stride + k];
      }
    }
  }
}

constexpr int64_t kLineFloats = 16;

// What PackTiles reads next, which is far from what it reads now, as a rule.
void PrefetchRow(const float* row, int64_t floats) {
  for (int64_t i = 0; i < floats; i += kLineFloats) __builtin_prefetch(row + i);
}

// Rows of A that are read where they are: those of the block after this one, which lie far from
// them, are fetched into the second level a little at a time, while tiles multiply.
class RowsAhead {
 public:
  RowsAhead(const float* first, int64_t rows, int64_t stride, int64_t floats)
      : row_(first), stride_(stride), floats_(floats), left_(rows) {}

  int64_t lines() const { return left_ * ((floats_ - 1) / kLineFloats + 2); }

  void Fetch(int64_t lines) {
    for (; lines > 0 && left_ > 0; --lines) {
      __builtin_prefetch(row_ + at_, 0, 2);
      at_ += kLineFloats;
      if (at_ < floats_ + kLineFloats) continue;  // a row begins and ends within lines
      at_ = 0;
      row_ += stride_;
      --left_;
    }
  }

 private:
  const float* row_;
  int64_t stride_, floats_, left_, at_ = 0;
};

// Rows [first, first + rows) and columns [begin, begin + depth) of A as tiles take them: tile after
// tile, of each k its kRows values.
void PackTiles(const PanelOperands& x, int64_t first, int64_t rows, int64_t begin, int64_t depth,
               float* to) {
  const float* a = x.a + first * x.a_row_stride + begin * x.a_column_stride;
  const int64_t whole = x.a_row_stride == 1 || x.a_column_stride == 1 ? rows / kRows * kRows : 0;
  if (x.a_row_stride == 1) {
    // Columns lie a power of two apart, as a rule: in one set of the first level, which holds eight
    // of them while four tiles read their lines.
    constexpr int64_t kStep = 8;
    for (int64_t k = 0; k < depth; k += kStep) {
      const int64_t end = std::min(k + kStep, depth);
      for (int64_t i = k; i < end; ++i) PrefetchRow(a + (i + kStep) * x.a_column_stride, rows);
      for (int64_t tile = 0; tile < whole; tile += kRows) {
        for (int64_t i = k; i < end; ++i) {
          std::copy_n(a + tile + i * x.a_column_stride, kRows, to + tile * depth + i * kRows);
        }
      }
    }
  } else if (x.a_column_stride == 1) {
    for (int64_t tile = 0; tile < whole; tile += kRows) {
      for (int64_t r = kRows; r < 2 * kRows; ++r)
        PrefetchRow(a + (tile + r) * x.a_row_stride, depth);
      Transpose(kRows, depth, a + tile * x.a_row_stride, x.a_row_stride, to + tile * depth, kRows);
    }
  }
  for (int64_t row = whole; row % kRows != 0 || row < rows; ++row) {
    float* tile = to + row / kRows * kRows * depth + row % kRows;
    for (int64_t k = 0; k < depth; ++k) {
      tile[k * kRows] = row < rows ? a[row * x.a_row_stride + k * x.a_column_stride] : 0.0f;
    }
  }
}

// sums[row] += the sum of that row of PackTiles.
void AddRowSums(int64_t rows, int64_t depth, const float* packed, float* sums) {
  constexpr int64_t kParts = 4;  // that are added up at once
  for (int64_t first = 0; first < rows; first += kRows, packed += kRows * depth) {
    float parts[kParts][kRows] = {};
    int64_t k = 0;
    for (; k + kParts <= depth; k += kParts) {
      for (int64_t p = 0; p < kParts; ++p) {
        for (int64_t r = 0; r < kRows; ++r) parts[p][r] += packed[(k + p) * kRows + r];
      }
    }
    for (; k < depth; ++k) {
      for (int64_t r = 0; r < kRows; ++r) parts[0][r] += packed[k * kRows + r];
    }
    for (int64_t r = 0; r < std::min<int64_t>(kRows, rows - first); ++r) {
      sums[first + r] += (parts[0][r] + parts[1][r]) + (parts[2][r] + parts[3][r]);
    }
  }
}

bool PacksRows(const PanelOperands& x) { return kPacksRows || x.a_column_stride != 1; }

// Some rows of A, so much of K.
template <class Left>
struct Block {
  int64_t rows, depth;
  Left tile;              // the first one
  RowsAhead* rows_ahead;  // what is read behind it; nullptr: that and C are near
  int64_t lines;          // to fetch of it with each tile
  Ahead* ahead;           // what is read behind the product, or nullptr
};

// What a block's k have in one panel, and behind it.
template <class Element>
struct PanelBlock {
  const Element* b;
  int64_t columns;  // the real ones
  float* c;
  int64_t c_stride;
  bool first;
  const float* bias;    // [columns] or nullptr
  const Element* next;  // or nullptr: it is near
};

// Of so many vectors.
template <class Arithmetic, int tile_rows, int vectors, class Left>
void MultiplyBlock(const Block<Left>& block,
                   const PanelBlock<typename Arithmetic::Element>& panel) {
  const int64_t width = vectors * VectorWidth();
  // Columns that fill no vector pass through a tile of their own.
  HWY_ALIGN float edge[tile_rows * vectors * HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN float edge_bias[vectors * HWY_MAX_BYTES / sizeof(float)] = {};
  const bool is_edge = panel.columns < width;
  const float* bias = panel.bias;
  if (is_edge && bias) {
    std::copy_n(bias, panel.columns, edge_bias);
    bias = edge_bias;
  }
  TileOperands<Left> tile = {block.depth, block.tile,  panel.b, edge,
                             width,       panel.first, bias,    nullptr};
  for (int64_t row = 0; row < block.rows; row += tile_rows) {
    const int64_t count = std::min<int64_t>(tile_rows, block.rows - row);
    float* c = panel.c + row * panel.c_stride;
    if (!is_edge) {
      tile.c = c;
      tile.c_stride = panel.c_stride;
    }
    tile.next = NextOf(panel.next, width, row / tile_rows, block.depth, block.ahead, panel.b);
    for (int64_t r = 0; r < count && is_edge && !panel.first; ++r) {
      std::copy_n(c + r * panel.c_stride, panel.columns, edge + r * width);
    }
    if (block.rows_ahead) {
      block.rows_ahead->Fetch(block.lines);
      for (int64_t r = 0; r < tile_rows; ++r) {
        const float* next = c + (tile_rows + r) * panel.c_stride;
        for (int64_t i = 0; i < width; i += kLineFloats) __builtin_prefetch(next + i, 1);
      }
    }
    TileOf<Arithmetic, tile_rows, vectors>(count, tile);
    for (int64_t r = 0; r < count && is_edge; ++r) {
      std::copy_n(edge + r * width, panel.columns, c + r * panel.c_stride);
    }
    tile.a.data += tile.a.Length(tile_rows, block.depth);
  }
}

template <class Left>
void MultiplyBlock(int64_t vectors, const Block<Left>& block, const PanelBlock<float>& panel) {
  if (vectors == 3) return MultiplyBlock<InFloat32, kRows, 3>(block, panel);
  if (vectors == 2) return MultiplyBlock<InFloat32, kRows, 2>(block, panel);
  MultiplyBlock<InFloat32, kRows, 1>(block, panel);
}

// Some rows of A times one panel of so many vectors. A and its stride are `a`'s, not those of `x`.
// Fewer vectors leave registers for more rows.
template <class Arithmetic, int vectors>
void MultiplyVectors(const PanelPart& part, const LeftOperand<typename Arithmetic::Element>& a,
                     const PanelOperands& x, Ahead* ahead) {
  constexpr int kTileRows = kRows * (vectors == 3 ? 2 : vectors == 2 ? 3 : 4) / 2;
  const auto* panel = static_cast<const typename Arithmetic::Element*>(part.panel);
  const int64_t width = vectors * VectorWidth();
  const int64_t most_depth = BlockDepth(part.depth);
  for (int64_t begin = 0; begin < part.depth; begin += most_depth) {
    const int64_t depth = std::min(most_depth, part.depth - begin);
    MultiplyBlock<Arithmetic, kTileRows, vectors>(
        Block<LeftOperand<typename Arithmetic::Element>>{
            part.end_row - part.first_row,
            depth,
            {a.data + part.first_row * a.row_stride + begin, a.row_stride},
            nullptr,
            0,
            ahead},
        {panel + begin * width, part.columns, x.c + part.first_row * x.c_stride + part.first_column,
         x.c_stride, begin == 0 && !x.accumulate, x.bias ? x.bias + part.first_column : nullptr,
         part.is_near ? nullptr : panel + (begin + depth) * width});
  }
}

template <class Arithmetic>
void Multiply(const PanelPart& part, const LeftOperand<typename Arithmetic::Element>& a,
              const PanelOperands& x, Ahead* ahead) {
  if (part.columns <= VectorWidth()) return MultiplyVectors<Arithmetic, 1>(part, a, x, ahead);
  if (part.columns <= 2 * VectorWidth()) return MultiplyVectors<Arithmetic, 2>(part, a, x, ahead);
  MultiplyVectors<Arithmetic, 3>(part, a, x, ahead);
}

// Rows [first_row, first_row + rows) of A, kBlockRows at most, times some of the panels. The
// thread's next ones are from `next_first` on, `next_rows` of them. `room` is for BlockFloats(),
// where PacksRows(x).
void MultiplyRows(int64_t first_row, int64_t rows, int64_t next_first, int64_t next_rows,
                  const PanelRow& panels, const PanelOperands& x, float* room) {
  const int64_t lanes = VectorWidth(), most_depth = BlockDepth(panels.depth);
  const int64_t vectors = (panels.n + lanes - 1) / lanes;
  const int64_t here = panels.end_vector - panels.first_vector;
  const int64_t tiles = (rows + kRows - 1) / kRows * ((here + 2) / 3);
  const bool packs = PacksRows(x);
  for (int64_t begin = panels.begin; begin < panels.end; begin += most_depth) {
    const int64_t end = std::min(begin + most_depth, panels.end), depth = end - begin;
    // What comes behind the last panel: more of K, or the first of it with other rows.
    const int64_t next_begin = end < panels.end ? end : panels.begin;
    const int64_t next_depth = std::min(most_depth, panels.end - next_begin);
    const int64_t next_row = end < panels.end ? first_row : next_first;
    const int64_t fetched_rows = packs ? 0 : end < panels.end ? rows : next_rows;
    if (packs) PackTiles(x, first_row, rows, begin, depth, room);
    if (packs && x.a_sums && panels.first_vector == 0) {
      AddRowSums(rows, depth, room, x.a_sums + first_row);
    }
    RowsAhead rows_ahead(x.a + next_row * x.a_row_stride + next_begin, fetched_rows, x.a_row_stride,
                         next_depth);
    const int64_t lines = (rows_ahead.lines() + tiles - 1) / tiles;
    const Block<PackedTile> packed = {rows, depth, {room}, &rows_ahead, lines, nullptr};
    const Block<LeftOperand<float>> plain = {
        rows,        depth, {x.a + first_row * x.a_row_stride + begin, x.a_row_stride},
        &rows_ahead, lines, nullptr};
    const auto data_at = [&](int64_t vector, int64_t row) {
      return panels.data + vector * lanes * panels.depth +
             row * PanelVectors(vectors - vector) * lanes;
    };
    for (int64_t v = panels.first_vector, count = 0; v < panels.end_vector; v += count) {
      count = PanelVectors(vectors - v);
      const int64_t column = v * lanes;
      const bool is_last = v + count >= panels.end_vector;
      const PanelBlock<float> panel = {
          data_at(v, begin),
          std::min(count * lanes, panels.n - column),
          x.c + first_row * x.c_stride + column,
          x.c_stride,
          begin == 0 && !x.accumulate,
          x.bias ? x.bias + column : nullptr,
          is_last ? data_at(panels.first_vector, next_begin) : data_at(v + count, begin)};
      if (packs) {
        MultiplyBlock(count, packed, panel);
      } else {
        MultiplyBlock(count, plain, panel);
      }
    }
  }
}

void MultiplyFloat32(const PanelPart& part, const PanelOperands& x, Ahead* ahead) {
  Multiply<InFloat32>(part, {x.a, x.a_row_stride}, x, ahead);
}
void MultiplyBf16([[maybe_unused]] const PanelPart& part,
                  [[maybe_unused]] const LeftOperand<uint32_t>& a,
                  [[maybe_unused]] const PanelOperands& x, [[maybe_unused]] Ahead* ahead) {
#if LOCKSTEP_HAS_BFLOAT16_PAIRS
  Multiply<InBf16>(part, a, x, ahead);
#else
  HWY_ABORT("panels in bf16 without instructions for it");
#endif
}

// Bytes of what is ahead that so many rows fetch while they pass by a panel.
int64_t AheadOfPanel(int64_t rows, int64_t depth, bool is_near) {
  const int64_t of_tile = depth * kNextBytes / 4;
  const int64_t all = (rows + kRows - 1) / kRows * of_tile;
  return is_near ? all : all - depth * 3 * VectorWidth() * int64_t{sizeof(float)};
}

const char* PanelTarget() { return hwy::TargetName(HWY_TARGET); }
bool IsAvx2OrBetter() { return HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2; }
bool PacksAllRows() { return kPacksRows; }
bool IsVectorTarget() { return HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128; }

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(VectorWidth);
HWY_EXPORT(TileRows);
HWY_EXPORT(MultiplyFloat32);
HWY_EXPORT(MultiplyBf16);
HWY_EXPORT(MultiplyRows);
HWY_EXPORT(Transpose);
HWY_EXPORT(BlockDepth);
HWY_EXPORT(BlockFloats);
HWY_EXPORT(BlockRows);
HWY_EXPORT(AheadOfPanel);
HWY_EXPORT(PanelTarget);
HWY_EXPORT(IsAvx2OrBetter);
HWY_EXPORT(PacksRows);
HWY_EXPORT(PacksAllRows);
HWY_EXPORT(IsVectorTarget);

namespace {

// Whether A is taken in blocks: where it is larger than a small second cache level, and has rows
// enough for all threads, each of which reads all panels.
bool TakesBlocks(int64_t m, int64_t k) {
  constexpr int64_t kLargeFloats = 64 << 10;
  constexpr int64_t kManyRows = 512;
  const bool is_large = m >= kManyRows && m * k > kLargeFloats;
  return is_large && 2 * m >= omp_get_max_threads() * LOCKSTEP_DISPATCH(BlockRows)();
}

int64_t PairsOf(int64_t k) { return (k + 1) / 2; }

// Where C is cut among threads: in front of a tile (the first of a panel's rows counted) of a
// panel.
struct Cut {
  int64_t panel, tile;
};

// A as MultiplyBf16 takes it. Each thread has its own, so that threads may multiply at once.
LeftOperand<uint32_t> RoundedPairs(int64_t m, int64_t k, const PanelOperands& x) {
  static thread_local Buffer buffer;
  const int64_t pairs = PairsOf(k);
  auto* to = reinterpret_cast<Bfloat16*>(buffer.Require(m * pairs));
  RoundMatrixToBfloat16(m, k, x.a, x.a_row_stride, x.a_column_stride, to, 2 * pairs);
  if (k % 2 != 0) {
    for (int64_t i = 0; i < m; ++i) to[i * 2 * pairs + k] = 0;
  }
  return {reinterpret_cast<const uint32_t*>(to), pairs};
}

}  // namespace

void PanelProduct::Pack(int64_t n, int64_t k, const float* b, int64_t row_stride,
                        int64_t column_stride, Precision precision, bool rounds) {
  n_ = n;
  k_ = k;
  precision_ = precision;
  vector_ = LOCKSTEP_DISPATCH(VectorWidth)();
  const bool of_pairs = precision == Precision::kBf16;
  const int64_t panels = this->panels(), depth = of_pairs ? PairsOf(k) : k;
  panels_.Require(vectors() * vector_ * depth);
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t columns = this->columns(panel), width = vectors(panel) * vector_;
    float* to = panels_.data() + first_column(panel) * depth;
    const float* from = b + first_column(panel) * column_stride;
    const bool is_transposed = row_stride == 1 && column_stride != 1;
    if (!of_pairs && is_transposed) {
      LOCKSTEP_DISPATCH(Transpose)(columns, depth, from, column_stride, to, width);
    }
    for (int64_t row = 0; row < depth && !of_pairs; ++row) {
      for (int64_t j = is_transposed ? columns : 0; j < width; ++j) {
        to[row * width + j] = j < columns ? from[row * row_stride + j * column_stride] : 0.0f;
      }
    }
    if (rounds) std::transform(to, to + depth * width, to, RoundedToBfloat16);
    if (!of_pairs) continue;
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

int64_t PanelProduct::vectors(int64_t panel) const {
  return PanelVectors(vectors() - first_vector(panel));
}

int64_t PanelProduct::first_vector(int64_t panel) const {
  const bool is_second_of_two =
      panel > 0 && panel == panels() - 1 && vectors() % kPanelVectors == 1;
  return panel * kPanelVectors - is_second_of_two;
}

int64_t PanelProduct::columns(int64_t panel) const {
  return std::min(vectors(panel) * vector_, n_ - first_column(panel));
}

void PanelProduct::Multiply(int64_t m, const PanelOperands& operands) const {
  if (m == 0 || n_ == 0) return;
  const int64_t tile_rows = LOCKSTEP_DISPATCH(TileRows)();
  const int64_t tiles = (m + tile_rows - 1) / tile_rows;
  const bool rounds = precision_ == Precision::kBf16;
  const int64_t depth = rounds ? PairsOf(k_) : k_;
  if (!rounds && (operands.a_column_stride != 1 || TakesBlocks(m, k_))) {
    return MultiplyBlocks(m, operands);
  }
  LeftOperand<uint32_t> a = {};
  if (rounds) a = RoundedPairs(m, k_, operands);
  // Every thread has as much as the others, to a tile: its own panels and some rows of the first
  // and the last one. The work is counted in vectors of tiles.
  const int64_t work = tiles * vectors();
  const auto cut_at = [&](int64_t done) {
    if (done == work) return Cut{panels(), 0};
    const bool is_last = done >= first_vector(panels() - 1) * tiles;
    const int64_t panel = is_last ? panels() - 1 : done / (kPanelVectors * tiles);
    return Cut{panel, (done - first_vector(panel) * tiles) / vectors(panel)};
  };
  // Where something is ahead, this is a product of a time step, in which a thread had the same
  // panels before. Nothing is fetched where these are more than twice the second level: they keep
  // memory busy (LSTM of 1024 with it: 1 to 2% slower).
  const bool alone = IsOnlyThread(), has_ahead = operands.ahead.bytes() > 0;
  const int64_t near = NearFloats() * (alone ? 1 : omp_get_max_threads());
  const int64_t floats = vectors() * vector_ * depth;
  const bool is_near = has_ahead && floats <= near;
  const int64_t of_panel =
      has_ahead && floats <= 8 * near ? LOCKSTEP_DISPATCH(AheadOfPanel)(m, depth, is_near) : 0;
  const auto multiply = [&](int64_t threads, int64_t thread) {
    Ahead ahead = operands.ahead.Of(thread, threads);
    const Cut begin = cut_at(work * thread / threads), end = cut_at(work * (thread + 1) / threads);
    // As late as there is time for it: what is fetched early is gone again before it is read (gates
    // of an LSTM of 512, ms forward and back: 10.4 and 5.5, fetched early 9.6 and 4.7, late 7.3 and
    // 3.5).
    const int64_t first_of_ahead =
        of_panel > 0 ? end.panel - std::max<int64_t>(ahead.bytes() / of_panel, 1) : panels();
    for (int64_t panel = begin.panel; panel <= end.panel && panel < panels(); ++panel) {
      const int64_t first_tile = panel == begin.panel ? begin.tile : 0;
      const int64_t end_tile = panel == end.panel ? end.tile : tiles;
      const PanelPart part = {first_tile * tile_rows,
                              std::min(m, end_tile * tile_rows),
                              first_column(panel),
                              columns(panel),
                              depth,
                              panels_.data() + first_column(panel) * depth,
                              is_near};
      Ahead* fetched = panel < first_of_ahead ? nullptr : &ahead;
      if (rounds) {
        LOCKSTEP_DISPATCH(MultiplyBf16)(part, a, operands, fetched);
      } else {
        LOCKSTEP_DISPATCH(MultiplyFloat32)(part, operands, fetched);
      }
    }
  };
  if (alone) return multiply(1, 0);
#pragma omp parallel
  multiply(omp_get_num_threads(), omp_get_thread_num());
}

// Blocks of one size, to a tile; a multiple of the threads, each of which takes the next one when
// it is done: a thread whose core has others to serve leaves more to the rest. (A transposed A
// comes here however small it is: but for tests it does where oneDNN has no code for it, on other
// processors.)
void PanelProduct::MultiplyBlocks(int64_t m, const PanelOperands& operands) const {
  static thread_local Buffer rooms;  // of the calling thread, for all of this product
  const int64_t tile_rows = LOCKSTEP_DISPATCH(TileRows)(), threads = omp_get_max_threads();
  const auto parts = [](int64_t all, int64_t of) { return (all + of - 1) / of; };
  const int64_t tiles = parts(m, tile_rows);
  const int64_t blocks =
      std::min(tiles, parts(m, LOCKSTEP_DISPATCH(BlockRows)() * threads) * threads);
  const auto first_row = [&](int64_t block) {
    return std::min(m, tiles * std::min(block, blocks) / blocks * tile_rows);
  };
  const bool packs = LOCKSTEP_DISPATCH(PacksRows)(operands);
  const int64_t room = packs ? LOCKSTEP_DISPATCH(BlockFloats)() : 0;
  float* all = rooms.Require(threads * room);
  const PanelExtent extent = ExtentOf(n_, k_);
  const int64_t panels_at_once = parts(extent.columns, kPanelVectors * vector_);
  const auto vector_of = [&](int64_t panel) {
    return panel < panels() ? first_vector(panel) : vectors();
  };
  for (int64_t k = 0; k < k_; k += extent.rows) {
    for (int64_t panel = 0; panel < panels(); panel += panels_at_once) {
      const PanelRow some = {n_,
                             k_,
                             panels_.data(),
                             vector_of(panel),
                             vector_of(panel + panels_at_once),
                             k,
                             std::min(k + extent.rows, k_)};
#pragma omp parallel for schedule(dynamic)
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t row = first_row(block);
        // By then the other threads will have taken those between.
        const int64_t next = block + omp_get_num_threads(), next_row = first_row(next);
        LOCKSTEP_DISPATCH(MultiplyRows)
        (row, first_row(block + 1) - row, next_row, first_row(next + 1) - next_row, some, operands,
         all + omp_get_thread_num() * room);
      }
    }
  }
}

PanelExtent PanelProduct::ExtentOf(int64_t n, int64_t k) {
  constexpr int64_t kMostFloats = 2 << 20;
  constexpr int64_t kLeastRows = 1024;
  constexpr int64_t kColumns = 192;  // whole panels, whatever the vectors
  if (n * k <= kMostFloats) return {n, k};
  const int64_t depth = LOCKSTEP_DISPATCH(BlockDepth)(k);
  if (n * kLeastRows <= kMostFloats) {
    return {n, std::max(kMostFloats / n / depth, int64_t{1}) * depth};
  }
  return {std::max(kMostFloats / k / kColumns, int64_t{1}) * kColumns, k};
}

std::string PanelProduct::Name(Precision precision) {
  const std::string name = std::string("panels ") + LOCKSTEP_DISPATCH(PanelTarget)();
  if (precision == Precision::kFloat32) return name;
  return name + " in bf16";
}

bool PanelProduct::IsFastest(int64_t m, int64_t n, int64_t k, bool a_transposed) {
  // Of N and K, and of M where A is to be copied and oneDNN has more than a general sgemm.
  constexpr int64_t kLeast = 256, kLeastRows = 4096;
  if (!LOCKSTEP_DISPATCH(IsAvx2OrBetter)() || !TakesBlocks(m, k)) return false;
  if (LOCKSTEP_DISPATCH(PacksAllRows)()) return true;
  return (!a_transposed || m >= kLeastRows) && n >= kLeast && k >= kLeast;
}

bool PanelProduct::CopiesRows(int64_t m, int64_t k, bool a_transposed) {
  return a_transposed || (LOCKSTEP_DISPATCH(PacksAllRows)() && TakesBlocks(m, k));
}

bool PanelProduct::HasVectors() { return LOCKSTEP_DISPATCH(IsVectorTarget)(); }

}  // namespace lockstep::worker
#endif
