#include "worker/products/gemm.h"

#include <list>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "worker/products/instruction_set.h"
#include "worker/products/panel_product.h"

namespace lockstep::worker {
namespace {

using Tag = dnnl::memory::format_tag;
constexpr auto kFloat = dnnl::memory::data_type::f32;

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& Stream() {
  static dnnl::stream stream(Engine());
  return stream;
}

// The operand as the product sees it: [rows, columns], with the strides that its storage gives.
dnnl::memory::desc Describe(int64_t rows, int64_t columns, int64_t stride, bool transposed) {
  return {{rows, columns},
          kFloat,
          transposed ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1}};
}

// Of a shape's operands; `b` is what it shall be, its own rows or a layout.
dnnl::matmul::primitive_desc DescribeProduct(const ProductShape& shape,
                                             const dnnl::memory::desc& b) {
  const auto a = Describe(shape.m, shape.k, shape.a_stride, shape.a_transposed);
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

  void Execute(const float* a, const float* b, const float* bias, float* c) {
    a_.set_data_handle(const_cast<float*>(a));
    b_.set_data_handle(const_cast<float*>(b));
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

std::string OnednnName(const dnnl::matmul::primitive_desc& description) {
  return std::string("oneDNN ") + description.impl_info_str();
}

// A product of oneDNN's that leaves M and K open. Its code is that of the sgemm that oneDNN has for
// every instruction set, "gemm:jit": 1 thread, AVX-512, 1281 x 800 x 200: 3.3 ms, where "brg" takes
// 3.0 ms and 0.4 to 0.8 ms to be prepared for each shape. Its bits are those of a gemm:jit for the
// shape alone.
class AnyRowsProduct {
 public:
  static std::optional<dnnl::matmul::primitive_desc> Find(ProductShape shape) {
    shape.m = shape.k = DNNL_RUNTIME_DIM_VAL;
    return FindFastProduct(shape, Describe(shape.k, shape.n, shape.b_stride, shape.b_transposed));
  }

  explicit AnyRowsProduct(const dnnl::matmul::primitive_desc& description)
      : primitive_(description) {}

  void Execute(const ProductShape& shape, const float* a, const float* b, const float* bias,
               float* c) const {
    const auto memory = [](const dnnl::memory::desc& of, const float* data) {
      return dnnl::memory(of, Engine(), const_cast<float*>(data));
    };
    std::unordered_map<int, dnnl::memory> arguments = {
        {DNNL_ARG_SRC, memory(Describe(shape.m, shape.k, shape.a_stride, shape.a_transposed), a)},
        {DNNL_ARG_WEIGHTS,
         memory(Describe(shape.k, shape.n, shape.b_stride, shape.b_transposed), b)},
        {DNNL_ARG_DST, memory(Describe(shape.m, shape.n, shape.c_stride, false), c)}};
    if (bias) arguments.emplace(DNNL_ARG_BIAS, memory({{1, shape.n}, kFloat, Tag::ab}, bias));
    primitive_.execute(Stream(), arguments);
    Stream().wait();
  }

 private:
  dnnl::matmul primitive_;
};

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
      Note(shape, OnednnName(*description));
      place->second.emplace(*description);
    }
  }
  if (place->second) place->second->Execute(shape, a, b, bias, c);
  return place->second.has_value();
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
    const auto description =
        FindFastProduct(shape, Describe(shape.k, shape.n, shape.b_stride, shape.b_transposed));
    Note(shape, description ? OnednnName(*description) : PanelProduct::Name());
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

}  // namespace

VaryingRows::VaryingRows(bool on) : on_(on) { VaryingScopes() += on_; }
VaryingRows::~VaryingRows() { VaryingScopes() -= on_; }
bool VaryingRows::IsOn() { return VaryingScopes() > 0; }

void MatMul(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t c_stride,
            bool accumulate, const float* bias) {
  static ProductCache cache;
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
                              false};
  if (VaryingRows::IsOn() && MultiplyVarying(shape, a.data, b.data, bias, c)) return;
  auto& product = cache.Get(shape);
  if (product) return product->Execute(a.data, b.data, bias, c);
  static PanelProduct panels;
  panels.Pack(n, k, b.data, b.transposed ? 1 : b.stride, b.transposed ? b.stride : 1);
  panels.Multiply(m, {a.data, a.transposed ? 1 : a.stride, a.transposed ? a.stride : 1, c, c_stride,
                      accumulate, bias});
}

// Where oneDNN's kernel has no layout of its own for B, it answers with plain rows and packs them
// again at every call. There the weights stand in panels of ours (2 threads, AVX2, 64 x 512 x 2048:
// 65 GFLOP/s by oneDNN's plain product in a training step). They do, too, where the number of rows
// changes: oneDNN needs a primitive for each number, made in 0.5 to 4 ms, and is at most 1.3 times
// as fast, at 32 rows and more of AVX-512; at less rows and on AVX2 they are even (1 thread,
// AVX-512, 1024 x 256: 49 and 54 us for 16 rows, 235 and 288 us for 64).
struct PackedMatrix::Impl {
  explicit Impl(const ProductShape& shape_in)
      : shape(shape_in), plain(Describe(shape.k, shape.n, shape.b_stride, shape.b_transposed)) {
    if (shape.m == 0 || !FindLayout()) Note(shape, PanelProduct::Name());
  }

  // False where not all that it takes is there: a layout, a copy into it, and both products.
  bool FindLayout() {
    const auto any = FindFastProduct(shape, {{shape.k, shape.n}, kFloat, Tag::any});
    const dnnl::memory::desc rows({shape.k, shape.n}, kFloat, Tag::ab);
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
    Note(shape, OnednnName(*same));
    Note(adding, OnednnName(*accumulating));
    return true;
  }

  ProductShape shape;
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

void PackedMatrix::Pack(const ProductShape& shape, Matrix b) {
  if (!impl_ || impl_->shape != shape) impl_ = std::make_unique<Impl>(shape);
  if (!impl_->packed) {
    impl_->panels.Pack(shape.n, shape.k, b.data, b.transposed ? 1 : b.stride,
                       b.transposed ? b.stride : 1);
    return;
  }
  dnnl::memory from(impl_->plain, Engine(), const_cast<float*>(b.data));
  impl_->into_packed.execute(Stream(), from, impl_->packed);
  Stream().wait();
}

bool PackedMatrix::threads_may_share() const { return !impl_ || !impl_->packed; }

void PackedMatrix::Multiply(const float* a, float* c, bool accumulate) const {
  Multiply(impl_->shape.m, a, c, accumulate);
}

void PackedMatrix::Multiply(int64_t rows, const float* a, float* c, bool accumulate,
                            const float* bias) const {
  Impl& impl = *impl_;
  const ProductShape& shape = impl.shape;
  const bool fits = rows == shape.m || (rows < shape.m && !impl.packed);
  if (shape.m > 0 && (!fits || bias)) {
    throw std::logic_error("a matrix that was packed for other products");
  }
  if (!impl.packed) {
    impl.panels.Multiply(rows, {a, shape.a_stride, 1, c, shape.c_stride, accumulate, bias});
    return;
  }
  impl.products[accumulate]->Execute(a, static_cast<const float*>(impl.packed.get_data_handle()),
                                     nullptr, c);
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
