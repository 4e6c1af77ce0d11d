#ifndef LOCKSTEP_WORKER_PRODUCTS_INSTRUCTION_SET_H_
#define LOCKSTEP_WORKER_PRODUCTS_INSTRUCTION_SET_H_

#include <string>
#include <vector>

namespace lockstep::worker {

/// One step of oneDNN's ordered scale of x86 instruction sets (dnnl_cpu_isa_t).
struct InstructionSet {
  std::string setting;  ///< as ONEDNN_MAX_CPU_ISA takes it: "AVX512_CORE"
  std::string name;     ///< as a person reads it: "AVX-512"
};

/// What this process may use, from the least to the widest: what the processor has, up to
/// ONEDNN_MAX_CPU_ISA where that is set. Empty on processors that are not x86.
std::vector<InstructionSet> InstructionSets();

/// The name of the widest of them.
std::string InstructionSetName();

/// Limits Highway's targets to what oneDNN may use, so that ONEDNN_MAX_CPU_ISA makes a machine play
/// a lesser one in all its kernels. Only the first call acts. Every dispatch calls it, by
/// LOCKSTEP_DISPATCH.
void MatchHighwayToOnednn();

}  // namespace lockstep::worker

/// Highway's HWY_DYNAMIC_DISPATCH for the instruction set that this process may use.
#define LOCKSTEP_DISPATCH(function) \
  (::lockstep::worker::MatchHighwayToOnednn(), HWY_DYNAMIC_DISPATCH(function))

#endif  // LOCKSTEP_WORKER_PRODUCTS_INSTRUCTION_SET_H_
