#include "worker/products/gemm.h"

#include <list>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "worker/buffer.h"
#include "worker/products/bfloat16.h"
#include "worker/products/column_sum.h"
#include "worker/products/instruction_set.h"
#include "worker/products/panel_product.h"

namespace lockstep::worker {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
constexpr auto kFloat = Type::f32;

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& Stream() {
  static dnnl::stream stream(Engine());
  return stream;
}

// The operand as the product sees it: [rows, columns], with the strides that its storage gives.
dnnl::memory::desc Describe(int64_t rows, int64_t columns, int64_t stride, bool transposed,
                            Type type = kFloat) {
  return {{rows, columns},
          type,
          transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1}};
}

// Its operands stand in dense rows. Where float32's instructions multiply rounded operands
// (UsesBfloat16Instructions), the shape is one of float32.
bool IsBf16(const ProductShape& shape) { return shape.precision == Precision::kBf16; }
Type OperandType(const ProductShape& shape) { return IsBf16(shape) ? Type::bf16 : kFloat; }

dnnl::memory::desc DescribeA(const ProductShape& shape) {
  const int64_t dense = shape.a_transposed ? shape.m : shape.k;
  return Describe(shape.m, shape.k, IsBf16(shape) ? dense : shape.a_stride, shape.a_transposed,
                  OperandType(shape));
}

dnnl::memory::desc DescribeB(const ProductShape& shape) {
  const int64_t dense = shape.b_transposed ? shape.k : shape.n;
  return Describe(shape.k, shape.n, IsBf16(shape) ? dense : shape.b_stride, shape.b_transposed,
                  OperandType(shape));
}

// An operand [rows, columns] as oneDNN gets it; what was rounded stands in `buffer`.
const void* Operand(const ProductShape& shape, int64_t rows, int64_t columns, Matrix from,
                    Buffer& buffer) {
  if (!IsBf16(shape)) return from.data;
  if (from.transposed) std::swap(rows, columns);
  auto* to = reinterpret_cast<Bfloat16*>(buffer.Require((rows * columns + 1) / 2));
  RoundMatrixToBfloat16(rows, columns, from.data, from.stride, 1, to, columns);
  return to;
}

// One product at a time: where its rounded operands stand.
const void* OperandA(const ProductShape& shape, const float* a) {
  static Buffer buffer;
  return Operand(shape, shape.m, shape.k, {a, shape.a_stride, shape.a_transposed}, buffer);
}

const void* OperandB(const ProductShape& shape, const float* b) {
  static Buffer buffer;
  return Operand(shape, shape.k, shape.n, {b, shape.b_stride, shape.b_transposed}, buffer);
}

// Of a shape's operands; `b` is what it shall be, its own rows or a layout.
dnnl::matmul::primitive_desc DescribeProduct(const ProductShape& shape,
                                             const dnnl::memory::desc& b) {
  const auto a = DescribeA(shape);
  const auto c = Describe(shape.m, shape.n, shape.c_stride, false);
  dnnl::primitive_attr attributes;
  if (shape.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  const dnnl::memory::desc bias =
      shape.bias ? dnnl::memory::desc({1, shape.n}, kFloat, Tag::ab) : dnnl::memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return shape.bias ? dnnl::matmul::primitive_desc(Engine(), a, b, bias, c, attributes)
                    : dnnl::matmul::primitive_desc(Engine(), a, b, c, attributes);
#else
  const dnnl::matmul::desc operation =
      shape.bias ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
  return {operation, attributes, Engine()};
#endif
}

// The same, but nothing where oneDNN has no code for it or reference code only. The name is that of
// the very operands: on AVX-512 a product whose rows of A lie further apart than K has other code
// than one of dense rows, and for B in brgemm's layout only `ref:any`, 100 times slower (2.6.3 and
// 3.2.0).
std::optional<dnnl::matmul::primitive_desc> FindFastProduct(const ProductShape& shape,
                                                            const dnnl::memory::desc& b) {
  try {
    auto description = DescribeProduct(shape, b);
    if (!IsReferenceEngine(description.impl_info_str())) return description;
  } catch (const dnnl::error&) {
  }
  return std::nullopt;
}

std::map<std::string, int64_t>& Engines() {
  static std::map<std::string, int64_t> engines;
  return engines;
}

std::function<void(const ProductShape&, const std::string&)>& Observer() {
  static std::function<void(const ProductShape&, const std::string&)> observer;
  return observer;
}

void Note(const ProductShape& shape, const std::string& engine) {
  ++Engines()[engine];
  if (Observer()) Observer()(shape, engine);
}

// A product of oneDNN's with its arguments, which only change their addresses.
class OnednnProduct {
 public:
  explicit OnednnProduct(const dnnl::matmul::primitive_desc& description)
      : primitive_(description),
        a_(description.src_desc(), Engine(), DNNL_MEMORY_NONE),
        b_(description.weights_desc(), Engine(), DNNL_MEMORY_NONE),
        c_(description.dst_desc(), Engine(), DNNL_MEMORY_NONE) {
    arguments_ = {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}};
    const auto bias = description.bias_desc();
    if (bias.get_size() > 0) {
      bias_ = dnnl::memory(bias, Engine(), DNNL_MEMORY_NONE);
      arguments_.emplace(DNNL_ARG_BIAS, bias_);
    }
  }

  void Execute(const void* a, const void* b, const float* bias, float* c) {
    a_.set_data_handle(const_cast<void*>(a));
    b_.set_data_handle(const_cast<void*>(b));
    c_.set_data_handle(c);
    if (bias) bias_.set_data_handle(const_cast<float*>(bias));
    primitive_.execute(Stream(), arguments_);
    Stream().wait();
  }

 private:
  dnnl::matmul primitive_;
  dnnl::memory a_, b_, c_, bias_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

std::string OnednnName(const ProductShape& shape, const dnnl::matmul::primitive_desc& description) {
  return std::string("oneDNN ") + description.impl_info_str() + (IsBf16(shape) ? " in bf16" : "");
}

// A product of oneDNN's that leaves M and K open. In float32 its code is that of the sgemm that
// oneDNN has for every instruction set, "gemm:jit": 1 thread, AVX-512, 1281 x 800 x 200: 3.3 ms,
// where "brg" takes 3.0 ms and 0.4 to 0.8 ms to be prepared for each shape. Its bits are those of a
// gemm:jit for the shape alone.
class AnyRowsProduct {
 public:
  static std::optional<dnnl::matmul::primitive_desc> Find(ProductShape shape) {
    shape.m = shape.k = DNNL_RUNTIME_DIM_VAL;
    return FindFastProduct(shape, DescribeB(shape));
  }

  explicit AnyRowsProduct(const dnnl::matmul::primitive_desc& description)
      : primitive_(description) {}

  void Execute(const ProductShape& shape, const float* a, const float* b, const float* bias,
               float* c) const {
    const auto memory = [](const dnnl::memory::desc& of, const void* data) {
      return dnnl::memory(of, Engine(), const_cast<void*>(data));
    };
    std::unordered_map<int, dnnl::memory> arguments = {
        {DNNL_ARG_SRC, memory(DescribeA(shape), OperandA(shape, a))},
        {DNNL_ARG_WEIGHTS, memory(DescribeB(shape), OperandB(shape, b))},
        {DNNL_ARG_DST, memory(Describe(shape.m, shape.n, shape.c_stride, false), c)}};
    if (bias) arguments.emplace(DNNL_ARG_BIAS, memory({{1, shape.n}, kFloat, Tag::ab}, bias));
    primitive_.execute(Stream(), arguments);
    Stream().wait();
  }

 private:
  dnnl::matmul primitive_;
};

// An operand [rows, columns] as it rounds, in dense rows of `buffer`.
Matrix RoundedInFloat32(int64_t rows, int64_t columns, Matrix from, Buffer& buffer) {
  if (from.transposed) std::swap(rows, columns);
  float* to = buffer.Require(rows * columns);
  RoundMatrixInFloat32(rows, columns, from.data, from.stride, to);
  return {to, columns, from.transposed};
}

int& VaryingScopes() {
  static int scopes = 0;
  return scopes;
}

// False where oneDNN has no such product.
bool MultiplyVarying(const ProductShape& shape, const float* a, const float* b, const float* bias,
                     float* c) {
  static std::map<ProductShape, std::optional<AnyRowsProduct>> products;
  ProductShape family = shape;
  family.m = family.k = 0;
  auto place = products.find(family);
  if (place == products.end()) {
    place = products.emplace(family, std::nullopt).first;
    if (const auto description = AnyRowsProduct::Find(shape)) {
      Note(shape, OnednnName(shape, *description));
      place->second.emplace(*description);
    }
  }
  if (place->second) place->second->Execute(shape, a, b, bias, c);
  return place->second.has_value();
}

// On AVX2 our panels are faster than the sgemm that is all oneDNN has there (2 threads of a Zen 3,
// of the limit: X W^T, dG W and dG^T X of an LSTM of 512, 64 x 64, by oneDNN 78, 75 and 73%, by
// panels 78, 74 and 70; of 256 79, 65 and 33% against 84, 72 and 66; of 128 with 32 lanes 45, 58
// and 42 against 75, 60 and 48). With AVX-512 oneDNN has brgemm, which only some products beat (see
// panel_product.cc, kPacksRows); by it the logits of a vocabulary of 10,000 take 1.2 times as long.
// With less than AVX2 panels have vectors of four.
bool PrefersPanels(const ProductShape& shape) {
  return !IsBf16(shape) && PanelProduct::IsFastest(shape.m, shape.n, shape.k, shape.a_transposed);
}

// Nothing is prepared for such products; they are noted, once for all that differ in M and K only.
void NotePanels(const ProductShape& shape) {
  static std::set<ProductShape> noted;
  ProductShape family = shape;
  family.m = family.k = 0;
  if (noted.insert(family).second) Note(shape, PanelProduct::Name());
}

// In parts of B, so that little of it stands in panels at a time.
void MultiplyByPanels(const ProductShape& shape, Matrix a, Matrix b, const float* bias, float* c,
                      float* a_sums = nullptr) {
  static PanelProduct panels;
  PanelExtent part = {shape.n, shape.k};
  if (!IsBf16(shape)) part = PanelProduct::ExtentOf(shape.n, shape.k);
  const int64_t b_row = b.transposed ? 1 : b.stride, b_column = b.transposed ? b.stride : 1;
  const int64_t a_row = a.transposed ? 1 : a.stride, a_column = a.transposed ? a.stride : 1;
  for (int64_t k = 0; k < shape.k; k += part.rows) {
    for (int64_t first = 0; first < shape.n; first += part.columns) {
      panels.Pack(std::min(part.columns, shape.n - first), std::min(part.rows, shape.k - k),
                  b.data + k * b_row + first * b_column, b_row, b_column, shape.precision);
      const bool adds = shape.accumulate || k > 0;
      panels.Multiply(shape.m, {a.data + k * a_column, a_row, a_column, c + first, shape.c_stride,
                                adds, bias && !adds ? bias + first : nullptr, Ahead(),
                                first == 0 ? a_sums : nullptr});
    }
  }
}

Precision& CurrentPrecision() {
  static Precision precision = Precision::kFloat32;
  return precision;
}

bool RoundsInFloat32() {
  return CurrentPrecision() == Precision::kBf16 && !UsesBfloat16Instructions();
}

// The products of MatMul that were used last; nullopt: by panels. A training of fixed shapes has
// some tens, one of batches by length as many again for each length.
class ProductCache {
 public:
  std::optional<OnednnProduct>& Get(const ProductShape& shape) {
    const auto known = places_.find(shape);
    if (known != places_.end()) {
      products_.splice(products_.begin(), products_, known->second);
      return products_.front().second;
    }
    if (products_.size() == kMost) {
      places_.erase(products_.back().first);
      products_.pop_back();
    }
    const auto description = FindFastProduct(shape, DescribeB(shape));
    Note(shape,
         description ? OnednnName(shape, *description) : PanelProduct::Name(shape.precision));
    products_.emplace_front(shape, std::nullopt);
    if (description) products_.front().second.emplace(*description);
    places_[shape] = products_.begin();
    return products_.front().second;
  }

 private:
  static constexpr size_t kMost = 1024;
  std::list<std::pair<ProductShape, std::optional<OnednnProduct>>> products_;  // the last one first
  std::map<ProductShape, decltype(products_)::iterator> places_;
};

// MatMul. True where the sums of A's rows were added to a_sums [M], which only products do that
// copy A as it is.
bool Multiply(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t c_stride,
              bool accumulate, const float* bias, float* a_sums) {
  static ProductCache cache;
  static Buffer rounded_a, rounded_b;  // one product at a time
  const bool rounds = RoundsInFloat32();
  if (rounds) {
    a = RoundedInFloat32(m, k, a, rounded_a);
    b = RoundedInFloat32(k, n, b, rounded_b);
  }
  const ProductShape shape = {m,
                              n,
                              k,
                              a.stride,
                              b.stride,
                              c_stride,
                              a.transposed,
                              b.transposed,
                              accumulate,
                              bias != nullptr,
                              false,
                              rounds ? Precision::kFloat32 : ProductPrecision()};
  if (PrefersPanels(shape)) {
    NotePanels(shape);
    const bool sums = a_sums && !rounds && PanelProduct::CopiesRows(m, k, a.transposed);
    MultiplyByPanels(shape, a, b, bias, c, sums ? a_sums : nullptr);
    return sums;
  }
  if (VaryingRows::IsOn() && MultiplyVarying(shape, a.data, b.data, bias, c)) return false;
  auto& product = cache.Get(shape);
  if (product) {
    product->Execute(OperandA(shape, a.data), OperandB(shape, b.data), bias, c);
  } else {
    MultiplyByPanels(shape, a, b, bias, c);
  }
  return false;
}

}  // namespace

void SetProductPrecision(Precision precision) { CurrentPrecision() = precision; }
Precision ProductPrecision() { return CurrentPrecision(); }

VaryingRows::VaryingRows(bool on) : on_(on) { VaryingScopes() += on_; }
VaryingRows::~VaryingRows() { VaryingScopes() -= on_; }
bool VaryingRows::IsOn() { return VaryingScopes() > 0; }

void MatMul(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t c_stride,
            bool accumulate, const float* bias) {
  Multiply(m, n, k, a, b, c, c_stride, accumulate, bias, nullptr);
}

void AddLinearGradients(int64_t rows, int64_t outputs, int64_t inputs, const float* d,
                        int64_t d_stride, const float* x, float* gradient, float* bias_gradient) {
  const bool summed = Multiply(outputs, inputs, rows, {d, d_stride, true}, {x, inputs}, gradient,
                               inputs, true, nullptr, bias_gradient);
  if (bias_gradient && !summed) AddColumnSums(rows, outputs, d, d_stride, bias_gradient);
}

bool PaysToPack(int64_t m, int64_t n, int64_t k) {
  const bool in_bf16 = ProductPrecision() == Precision::kBf16 && !RoundsInFloat32();
  return !in_bf16 && PanelProduct::IsFastest(m, n, k, false);
}

// In float32 B stands in panels of ours: oneDNN's packed layouts are no faster (64 rows, K and N
// 128 to 4096, 2 threads of an Emerald Rapids, AVX-512, in turns: panels 0.88 to 1.10 of brgemm's
// rate, the median 1.00), it has none below AVX-512 nor for rows of A that lie further apart than
// K, needs a primitive for each number of rows, and lets no threads share it. Bf16 takes them where
// there are any: AMX has other registers than ours.
struct PackedMatrix::Impl {
  Impl(const ProductShape& shape_in, bool rounds_in_float32)
      : shape(shape_in), rounds(rounds_in_float32), plain(DescribeB(shape)) {
    if (shape.m == 0 || !IsBf16(shape) || !FindLayout()) {
      Note(shape, PanelProduct::Name(shape.precision));
    }
  }

  // False where not all that it takes is there: a layout, a copy into it, and both products.
  bool FindLayout() {
    const Type type = OperandType(shape);
    const auto any = FindFastProduct(shape, {{shape.k, shape.n}, type, Tag::any});
    const dnnl::memory::desc rows({shape.k, shape.n}, type, Tag::ab);
    if (!any || any->weights_desc() == rows) return false;
    const dnnl::memory::desc layout = any->weights_desc();
    const dnnl::reorder::primitive_desc copy(Engine(), plain, Engine(), layout);
    ProductShape adding = shape;
    adding.accumulate = true;
    const auto same = FindFastProduct(shape, layout),
               accumulating = FindFastProduct(adding, layout);
    if (!same || !accumulating || IsReferenceEngine(copy.impl_info_str())) return false;
    packed = dnnl::memory(layout, Engine());
    into_packed = dnnl::reorder(copy);
    products[0].emplace(*same);
    products[1].emplace(*accumulating);
    Note(shape, OnednnName(shape, *same));
    Note(adding, OnednnName(adding, *accumulating));
    return true;
  }

  ProductShape shape;
  bool rounds;               // A, to float32
  dnnl::memory::desc plain;  // B as it is given
  dnnl::memory packed;       // empty: `panels` are used
  dnnl::reorder into_packed;
  std::optional<OnednnProduct> products[2];  // C = A B, C += A B
  PanelProduct panels;
};

PackedMatrix::PackedMatrix() = default;
PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;

void PackedMatrix::Pack(int64_t m, int64_t n, int64_t k, int64_t a_stride, Matrix b) {
  Pack({m, n, k, a_stride, b.stride, n, false, b.transposed, false, false, true}, b);
}

void PackedMatrix::PackForAnyRows(int64_t n, int64_t k, int64_t a_stride, Matrix b,
                                  int64_t c_stride) {
  Pack({0, n, k, a_stride, b.stride, c_stride > 0 ? c_stride : n, false, b.transposed, false, false,
        true},
       b);
}

void PackedMatrix::Pack(ProductShape shape, Matrix b) {
  // Any number of rows is the panels' alone.
  const bool by_instructions = shape.m == 0 ? PanelsTakeBfloat16() : UsesBfloat16Instructions();
  const bool rounds = ProductPrecision() == Precision::kBf16 && !by_instructions;
  if (!rounds) shape.precision = ProductPrecision();
  if (!impl_ || impl_->shape != shape || impl_->rounds != rounds) {
    impl_ = std::make_unique<Impl>(shape, rounds);
  }
  if (!impl_->packed) {
    impl_->panels.Pack(shape.n, shape.k, b.data, b.transposed ? 1 : b.stride,
                       b.transposed ? b.stride : 1, shape.precision, rounds);
    return;
  }
  dnnl::memory from(impl_->plain, Engine(), const_cast<void*>(OperandB(shape, b.data)));
  impl_->into_packed.execute(Stream(), from, impl_->packed);
  Stream().wait();
}

bool PackedMatrix::threads_may_share() const { return !impl_ || !impl_->packed; }

void PackedMatrix::Multiply(const float* a, float* c, bool accumulate) const {
  Multiply(impl_->shape.m, a, c, accumulate);
}

void PackedMatrix::Multiply(int64_t rows, const float* a, float* c, bool accumulate,
                            const float* bias, const Ahead& ahead) const {
  static thread_local Buffer rounded;
  Impl& impl = *impl_;
  const ProductShape& shape = impl.shape;
  const bool fits = rows == shape.m || (rows < shape.m && !impl.packed);
  if (shape.m > 0 && (!fits || bias)) {
    throw std::logic_error("a matrix that was packed for other products");
  }
  if (!impl.packed) {
    Matrix left = {a, shape.a_stride};
    if (impl.rounds) left = RoundedInFloat32(rows, shape.k, left, rounded);
    impl.panels.Multiply(rows,
                         {left.data, left.stride, 1, c, shape.c_stride, accumulate, bias, ahead});
    return;
  }
  impl.products[accumulate]->Execute(OperandA(shape, a), impl.packed.get_data_handle(), nullptr, c);
}

const std::map<std::string, int64_t>& ProductEngines() { return Engines(); }

// "gemm:jit" and "brg:avx512_core" are fast; "ref", "ref:any" and "gemm:ref" are plain loops.
bool IsReferenceEngine(const std::string& engine) {
  if (engine.starts_with("panels ")) return !PanelProduct::HasVectors();
  for (size_t begin = 0; begin <= engine.size();) {
    const size_t end = std::min(engine.find_first_of(": ", begin), engine.size());
    const std::string_view word = std::string_view(engine).substr(begin, end - begin);
    if (word == "ref" || word == "simple") return true;
    begin = end + 1;
  }
  return false;
}

void ObserveProducts(std::function<void(const ProductShape&, const std::string&)> observer) {
  Observer() = std::move(observer);
}

std::string GemmDescription() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}, {}", version->major, version->minor, version->patch,
                     InstructionSetName());
}

}  // namespace lockstep::worker
