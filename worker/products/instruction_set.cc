#include "worker/products/instruction_set.h"

#include <dnnl.hpp>
#include <hwy/targets.h>

namespace lockstep::worker {
namespace {

using Isa = dnnl::cpu_isa;

bool MayUse(Isa isa) {
  const int bits = static_cast<int>(isa);
  return (static_cast<int>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

// The targets that need more than oneDNN may use. Highway has none for AVX alone.
void LimitHighway() {
#if HWY_ARCH_X86
  constexpr int64_t kAvx512 = HWY_AVX2 - 1;  // the better target has the lower bit
  if (!MayUse(Isa::avx2)) {
    hwy::DisableTargets(HWY_AVX2 | kAvx512);
  } else if (!MayUse(Isa::avx512_core)) {
    hwy::DisableTargets(kAvx512);
  }
#endif
}

}  // namespace

std::vector<InstructionSet> InstructionSets() {
  const std::pair<Isa, InstructionSet> scale[] = {
      {Isa::sse41, {"SSE41", "SSE4.1"}},
      {Isa::avx, {"AVX", "AVX"}},
      {Isa::avx2, {"AVX2", "AVX2"}},
      {Isa::avx512_core, {"AVX512_CORE", "AVX-512"}},
      {Isa::avx512_core_vnni, {"AVX512_CORE_VNNI", "AVX-512 with VNNI"}},
      {Isa::avx512_core_bf16, {"AVX512_CORE_BF16", "AVX-512 with BF16"}},
      {Isa::avx512_core_amx, {"AVX512_CORE_AMX", "AVX-512 with AMX"}},
  };
  std::vector<InstructionSet> sets;
  for (const auto& [isa, set] : scale) {
    if (MayUse(isa)) sets.push_back(set);
  }
  return sets;
}

std::string InstructionSetName() {
  const std::vector<InstructionSet> sets = InstructionSets();
  return sets.empty() ? "no x86 instruction set" : sets.back().name;
}

void MatchHighwayToOnednn() {
  static const bool matched = (LimitHighway(), true);
  static_cast<void>(matched);
}

}  // namespace lockstep::worker
