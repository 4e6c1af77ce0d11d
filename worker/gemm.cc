#include "worker/gemm.h"

#include <map>
#include <tuple>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "worker/panel_product.h"

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

dnnl::matmul::primitive_desc DescribeProduct(const dnnl::memory::desc& a,
                                             const dnnl::memory::desc& b,
                                             const dnnl::memory::desc& c, bool accumulate,
                                             bool bias) {
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  const dnnl::memory::desc bias_desc =
#if DNNL_VERSION_MAJOR >= 3
      bias ? dnnl::memory::desc({1, c.get_dims()[1]}, kFloat, Tag::ab) : dnnl::memory::desc();
  return bias ? dnnl::matmul::primitive_desc(Engine(), a, b, bias_desc, c, attributes)
              : dnnl::matmul::primitive_desc(Engine(), a, b, c, attributes);
#else
      bias ? dnnl::memory::desc({1, c.dims()[1]}, kFloat, Tag::ab) : dnnl::memory::desc();
  const dnnl::matmul::desc operation =
      bias ? dnnl::matmul::desc(a, b, bias_desc, c) : dnnl::matmul::desc(a, b, c);
  return {operation, attributes, Engine()};
#endif
}

// A product of fixed shape with its arguments, which only change their addresses.
class Product {
 public:
  Product(const dnnl::memory::desc& a, const dnnl::memory::desc& b, const dnnl::memory::desc& c,
          bool accumulate, bool bias)
      : description_(DescribeProduct(a, b, c, accumulate, bias)),
        primitive_(description_),
        a_(a, Engine(), DNNL_MEMORY_NONE),
        b_(description_.weights_desc(), Engine(), DNNL_MEMORY_NONE),
        c_(c, Engine(), DNNL_MEMORY_NONE) {
    arguments_ = {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}};
    if (bias) {
      bias_ = dnnl::memory(description_.bias_desc(), Engine(), DNNL_MEMORY_NONE);
      arguments_.emplace(DNNL_ARG_BIAS, bias_);
    }
  }

  dnnl::memory::desc weights_desc() const { return description_.weights_desc(); }

  void Execute(const float* a, const float* b, const float* bias, float* c) {
    a_.set_data_handle(const_cast<float*>(a));
    b_.set_data_handle(const_cast<float*>(b));
    c_.set_data_handle(c);
    if (bias) bias_.set_data_handle(const_cast<float*>(bias));
    primitive_.execute(Stream(), arguments_);
    Stream().wait();
  }

 private:
  dnnl::matmul::primitive_desc description_;
  dnnl::matmul primitive_;
  dnnl::memory a_, b_, c_, bias_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace

void MatMul(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t c_stride,
            bool accumulate, const float* bias) {
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int>;
  static std::map<Key, Product> products;
  const int flags = a.transposed | b.transposed << 1 | accumulate << 2 | (bias != nullptr) << 3;
  const Key key(m, n, k, a.stride, b.stride, c_stride, flags);
  auto found = products.find(key);
  if (found == products.end()) {
    found = products
                .try_emplace(key, Describe(m, k, a.stride, a.transposed),
                             Describe(k, n, b.stride, b.transposed),
                             Describe(m, n, c_stride, false), accumulate, bias != nullptr)
                .first;
  }
  found->second.Execute(a.data, b.data, bias, c);
}

// Where oneDNN's kernel has no layout of its own for B, it answers with plain rows and packs them
// again at every call. There the weights stand in panels of ours (2 threads, AVX2, 64 x 512 x 2048:
// 65 GFLOP/s by oneDNN's plain product in a training step).
struct PackedMatrix::Impl {
  int64_t m, n, k;
  dnnl::memory packed;  // empty: `panels` are used
  PanelProduct panels;
  int64_t a_stride = -1;  // that the products below were made for
  std::unique_ptr<Product> plain, accumulating;
};

PackedMatrix::PackedMatrix() = default;
PackedMatrix::~PackedMatrix() = default;
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;

void PackedMatrix::Pack(int64_t m, int64_t n, int64_t k, Matrix b) {
  if (!impl_ || impl_->m != m || impl_->n != n || impl_->k != k) {
    impl_ = std::make_unique<Impl>(Impl{m, n, k, {}, {}, -1, {}, {}});
    const auto preferred = DescribeProduct(Describe(m, k, k, false), {{k, n}, kFloat, Tag::any},
                                           Describe(m, n, n, false), false, false)
                               .weights_desc();
    const dnnl::memory::desc plain({k, n}, kFloat, Tag::ab);
    if (preferred != plain) impl_->packed = dnnl::memory(preferred, Engine());
  }
  if (!impl_->packed) {
    impl_->panels.Pack(n, k, b.data, b.transposed ? 1 : b.stride, b.transposed ? b.stride : 1);
    return;
  }
  dnnl::memory from(Describe(k, n, b.stride, b.transposed), Engine(), const_cast<float*>(b.data));
  dnnl::reorder(from, impl_->packed).execute(Stream(), from, impl_->packed);
  Stream().wait();
}

void PackedMatrix::Multiply(const float* a, int64_t a_stride, float* c, bool accumulate) const {
  Impl& impl = *impl_;
  if (!impl.packed) {
    impl.panels.Multiply(impl.m, a, a_stride, c, accumulate);
    return;
  }
  if (impl.a_stride != a_stride) {
    impl.plain.reset();
    impl.accumulating.reset();
    impl.a_stride = a_stride;
  }
  auto& product = accumulate ? impl.accumulating : impl.plain;
  if (!product) {
    product =
        std::make_unique<Product>(Describe(impl.m, impl.k, a_stride, false), impl.packed.get_desc(),
                                  Describe(impl.m, impl.n, impl.n, false), accumulate, false);
  }
  product->Execute(a, static_cast<const float*>(impl.packed.get_data_handle()), nullptr, c);
}

std::string GemmDescription() {
  const dnnl_version_t* version = dnnl_version();
  const auto isa = dnnl::get_effective_cpu_isa();
  const char* name = "SSE4.1 or less";
  // Steps of an ordered scale; names as in oneDNN's documentation of dnnl_cpu_isa_t.
  using Isa = dnnl::cpu_isa;
  const std::pair<Isa, const char*> scale[] = {
      {Isa::avx, "AVX"},
      {Isa::avx2, "AVX2"},
      {Isa::avx512_core, "AVX-512"},
      {Isa::avx512_core_vnni, "AVX-512 with VNNI"},
      {Isa::avx512_core_bf16, "AVX-512 with BF16"},
      {Isa::avx512_core_amx, "AVX-512 with AMX"},
  };
  for (const auto& [step, text] : scale) {
    const int bits = static_cast<int>(step);
    if ((static_cast<int>(isa) & bits) == bits) name = text;
  }
  return fmt::format("{}.{}.{}, {}", version->major, version->minor, version->patch, name);
}

}  // namespace lockstep::worker
