#include "worker/layers/gate_kernels.h"

#include "worker/parallel_for.h"
#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/layers/gate_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Highway's own order: after foreach_target.
#include "worker/layers/activations-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// d/dx of sigmoid and tanh, from their values.
template <class D, class V = hn::Vec<D>>
V SigmoidSlope(D d, V y) {
  return hn::NegMulAdd(y, y, y);
}
template <class D, class V = hn::Vec<D>>
V TanhSlope(D d, V y) {
  return hn::NegMulAdd(y, y, hn::Set(d, 1.0f));
}

// Calls body(d, offset in [B, H], unit) over all units of a lane: full vectors first, single units
// last.
template <class Body>
void ForEachUnit(const GateStep& s, int64_t lane, const Body& body) {
  const hn::ScalableTag<float> full;
  const hn::CappedTag<float, 1> single;
  const int64_t width = static_cast<int64_t>(hn::Lanes(full));
  int64_t unit = 0;
  for (; unit + width <= s.units; unit += width) body(full, lane * s.units + unit, unit);
  for (; unit < s.units; ++unit) body(single, lane * s.units + unit, unit);
}

// A lane's pre-activations of the input side.
const float* InputOf(const GateStep& s, int64_t lane, int64_t gates) {
  return s.tokens ? s.table + s.tokens[lane] * gates * s.units : s.gates + lane * s.gate_stride;
}

void RnnForwardLane(const GateStep& s, int64_t lane, bool relu) {
  const float* input = InputOf(s, lane, 1);
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    const auto x = hn::Add(hn::LoadU(d, input + unit), hn::LoadU(d, s.product + at));
    // In this order x86's maximum of 0 and NaN is NaN, in the other one 0.
    hn::StoreU(relu ? hn::Max(hn::Zero(d), x) : TanhOf(d, x), d, s.h + at);
  });
}

void RnnBackwardLane(const GateStep& s, int64_t lane, bool relu) {
  float* gates = s.gates + lane * s.gate_stride;
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    const auto h = hn::LoadU(d, s.h + at);
    const auto dh = hn::Add(hn::LoadU(d, s.d_output + at), hn::LoadU(d, s.d_h + at));
    const auto dx =
        relu ? hn::IfThenElseZero(hn::Gt(h, hn::Zero(d)), dh) : hn::Mul(dh, TanhSlope(d, h));
    hn::StoreU(dx, d, gates + unit);
  });
}

template <bool kPeephole>
void LstmForwardUnits(const GateStep& s, int64_t lane) {
  const int64_t H = s.units;
  const float* input = InputOf(s, lane, 4);
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const float* product = s.product + lane * 4 * H + unit;
    const auto x = [&](int gate) {
      return hn::Add(hn::LoadU(d, input + gate * H + unit), hn::LoadU(d, product + gate * H));
    };
    // The same behind a peephole: 0, 1, 2 for i, f, o.
    const auto seeing = [&](auto sum, int hole, auto c) {
      if constexpr (kPeephole) {
        return hn::MulAdd(hn::LoadU(d, s.peephole + hole * H + unit), c, sum);
      }
      return sum;
    };
    const auto c_previous = hn::LoadU(d, s.c_previous + at);
    const auto i = SigmoidOf(d, seeing(x(0), 0, c_previous));
    const auto f = SigmoidOf(d, seeing(x(1), 1, c_previous));
    const auto g = TanhOf(d, x(2));
    const auto c = hn::MulAdd(f, c_previous, hn::Mul(i, g));
    const auto o = SigmoidOf(d, seeing(x(3), 2, c));
    hn::StoreU(i, d, gates);
    hn::StoreU(f, d, gates + H);
    hn::StoreU(g, d, gates + 2 * H);
    hn::StoreU(o, d, gates + 3 * H);
    hn::StoreU(c, d, s.c + at);
    hn::StoreU(hn::Mul(o, TanhOf(d, c)), d, s.h + at);
  });
}

void LstmForwardLane(const GateStep& s, int64_t lane) {
  s.peephole ? LstmForwardUnits<true>(s, lane) : LstmForwardUnits<false>(s, lane);
}

template <bool kPeephole>
void LstmBackwardUnits(const GateStep& s, int64_t lane) {
  const int64_t H = s.units;
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const auto i = hn::LoadU(d, gates);
    const auto f = hn::LoadU(d, gates + H);
    const auto g = hn::LoadU(d, gates + 2 * H);
    const auto o = hn::LoadU(d, gates + 3 * H);
    const auto tanh_c = TanhOf(d, hn::LoadU(d, s.c + at));
    const auto dh = hn::Add(hn::LoadU(d, s.d_output + at), hn::LoadU(d, s.d_h + at));
    const auto d_o = hn::Mul(hn::Mul(dh, tanh_c), SigmoidSlope(d, o));
    auto dc = hn::MulAdd(hn::Mul(dh, o), TanhSlope(d, tanh_c), hn::LoadU(d, s.d_c + at));
    if constexpr (kPeephole) {
      dc = hn::MulAdd(d_o, hn::LoadU(d, s.peephole + 2 * H + unit), dc);
    }
    const auto d_i = hn::Mul(hn::Mul(dc, g), SigmoidSlope(d, i));
    const auto d_f = hn::Mul(hn::Mul(dc, hn::LoadU(d, s.c_previous + at)), SigmoidSlope(d, f));
    auto d_c_previous = hn::Mul(dc, f);
    if constexpr (kPeephole) {
      d_c_previous = hn::MulAdd(d_i, hn::LoadU(d, s.peephole + unit), d_c_previous);
      d_c_previous = hn::MulAdd(d_f, hn::LoadU(d, s.peephole + H + unit), d_c_previous);
    }
    hn::StoreU(d_i, d, gates);
    hn::StoreU(d_f, d, gates + H);
    hn::StoreU(hn::Mul(hn::Mul(dc, i), TanhSlope(d, g)), d, gates + 2 * H);
    hn::StoreU(d_o, d, gates + 3 * H);
    hn::StoreU(d_c_previous, d, s.d_c + at);
  });
}

void LstmBackwardLane(const GateStep& s, int64_t lane) {
  s.peephole ? LstmBackwardUnits<true>(s, lane) : LstmBackwardUnits<false>(s, lane);
}

void LstmOutputForwardLane(const GateStep& s, int64_t lane) {
  const float* gates = s.gates + lane * s.gate_stride + 3 * s.units;
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    const auto x = hn::MulAdd(hn::LoadU(d, s.c_gain + unit), hn::LoadU(d, s.normalized_c + at),
                              hn::LoadU(d, s.c_bias + unit));
    hn::StoreU(hn::Mul(hn::LoadU(d, gates + unit), TanhOf(d, x)), d, s.h + at);
  });
}

void LstmOutputBackwardLane(const GateStep& s, int64_t lane) {
  const float* gates = s.gates + lane * s.gate_stride + 3 * s.units;
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    const auto x = hn::MulAdd(hn::LoadU(d, s.c_gain + unit), hn::LoadU(d, s.normalized_c + at),
                              hn::LoadU(d, s.c_bias + unit));
    const auto o = hn::LoadU(d, gates + unit), y = TanhOf(d, x);
    const auto dh = hn::Add(hn::LoadU(d, s.d_output + at), hn::LoadU(d, s.d_h + at));
    hn::StoreU(hn::Mul(hn::Mul(dh, o), TanhSlope(d, y)), d, s.d_normalized_c + at);
    hn::StoreU(hn::Mul(hn::Mul(dh, y), SigmoidSlope(d, o)), d, s.d_output_gate + at);
  });
}

void GruForwardLane(const GateStep& s, int64_t lane) {
  const int64_t H = s.units;
  const float* input = InputOf(s, lane, 3);
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const float* product = s.product + lane * 3 * H + unit;
    const float* x = input + unit;
    const auto r = SigmoidOf(d, hn::Add(hn::LoadU(d, x), hn::LoadU(d, product)));
    const auto z = SigmoidOf(d, hn::Add(hn::LoadU(d, x + H), hn::LoadU(d, product + H)));
    const auto hidden =
        hn::Add(hn::LoadU(d, product + 2 * H), hn::LoadU(d, s.candidate_bias + unit));
    const auto n = TanhOf(d, hn::MulAdd(r, hidden, hn::LoadU(d, x + 2 * H)));
    hn::StoreU(r, d, gates);
    hn::StoreU(z, d, gates + H);
    hn::StoreU(n, d, gates + 2 * H);
    hn::StoreU(hidden, d, s.candidate + at);
    const auto h_previous = hn::LoadU(d, s.h_previous + at);
    hn::StoreU(hn::MulAdd(z, hn::Sub(h_previous, n), n), d, s.h + at);
  });
}

void GruBackwardLane(const GateStep& s, int64_t lane) {
  const int64_t H = s.units;
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const auto r = hn::LoadU(d, gates);
    const auto z = hn::LoadU(d, gates + H);
    const auto n = hn::LoadU(d, gates + 2 * H);
    const auto hidden = hn::LoadU(d, s.candidate + at);
    const auto dh = hn::Add(hn::LoadU(d, s.d_output + at), hn::LoadU(d, s.d_h + at));
    const auto dn = hn::Mul(hn::NegMulAdd(dh, z, dh), TanhSlope(d, n));
    const auto dz =
        hn::Mul(hn::Mul(dh, hn::Sub(hn::LoadU(d, s.h_previous + at), n)), SigmoidSlope(d, z));
    hn::StoreU(hn::Mul(hn::Mul(dn, hidden), SigmoidSlope(d, r)), d, gates);
    hn::StoreU(dz, d, gates + H);
    hn::StoreU(hn::Mul(dn, r), d, gates + 2 * H);
    hn::StoreU(dn, d, s.candidate + at);
    hn::StoreU(hn::Mul(dh, z), d, s.d_h + at);
  });
}

void GruResetForwardLane(const GateStep& s, int64_t lane) {
  const int64_t H = s.units;
  const float* input = InputOf(s, lane, 3);
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const float* product = s.product + lane * 2 * H + unit;
    const float* x = input + unit;
    const auto r = SigmoidOf(d, hn::Add(hn::LoadU(d, x), hn::LoadU(d, product)));
    const auto z = SigmoidOf(d, hn::Add(hn::LoadU(d, x + H), hn::LoadU(d, product + H)));
    hn::StoreU(r, d, gates);
    hn::StoreU(z, d, gates + H);
    hn::StoreU(hn::Mul(r, hn::LoadU(d, s.h_previous + at)), d, s.candidate + at);
  });
}

void GruOutputForwardLane(const GateStep& s, int64_t lane) {
  const int64_t H = s.units;
  const float* input = InputOf(s, lane, 3) + 2 * H;
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const auto z = hn::LoadU(d, gates + H);
    const auto n = TanhOf(d, hn::Add(hn::LoadU(d, input + unit), hn::LoadU(d, s.product + at)));
    hn::StoreU(n, d, gates + 2 * H);
    const auto h_previous = hn::LoadU(d, s.h_previous + at);
    hn::StoreU(hn::MulAdd(z, hn::Sub(h_previous, n), n), d, s.h + at);
  });
}

void GruOutputBackwardLane(const GateStep& s, int64_t lane) {
  const int64_t H = s.units;
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const auto z = hn::LoadU(d, gates + H);
    const auto n = hn::LoadU(d, gates + 2 * H);
    const auto dh = hn::Add(hn::LoadU(d, s.d_output + at), hn::LoadU(d, s.d_h + at));
    const auto dz =
        hn::Mul(hn::Mul(dh, hn::Sub(hn::LoadU(d, s.h_previous + at), n)), SigmoidSlope(d, z));
    hn::StoreU(dz, d, gates + H);
    hn::StoreU(hn::Mul(hn::NegMulAdd(dh, z, dh), TanhSlope(d, n)), d, gates + 2 * H);
    hn::StoreU(hn::Mul(dh, z), d, s.d_h + at);
  });
}

void GruResetBackwardLane(const GateStep& s, int64_t lane) {
  ForEachUnit(s, lane, [&](auto d, int64_t at, int64_t unit) {
    float* gates = s.gates + lane * s.gate_stride + unit;
    const auto r = hn::LoadU(d, gates);
    const auto d_reset = hn::LoadU(d, s.product + at);
    hn::StoreU(hn::Mul(hn::Mul(d_reset, hn::LoadU(d, s.h_previous + at)), SigmoidSlope(d, r)), d,
               gates);
    hn::StoreU(hn::MulAdd(d_reset, r, hn::LoadU(d, s.d_h + at)), d, s.d_h + at);
  });
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(RnnForwardLane);
HWY_EXPORT(RnnBackwardLane);
HWY_EXPORT(LstmForwardLane);
HWY_EXPORT(LstmBackwardLane);
HWY_EXPORT(LstmOutputForwardLane);
HWY_EXPORT(LstmOutputBackwardLane);
HWY_EXPORT(GruForwardLane);
HWY_EXPORT(GruBackwardLane);
HWY_EXPORT(GruResetForwardLane);
HWY_EXPORT(GruOutputForwardLane);
HWY_EXPORT(GruOutputBackwardLane);
HWY_EXPORT(GruResetBackwardLane);
HWY_EXPORT(TargetName);

namespace {

// Lanes over threads: every lane is computed the same way wherever it runs.
template <class Kernel, class... Arguments>
void OverLanes(Kernel kernel, const GateStep& step, Arguments... arguments) {
  ParallelFor(step.lanes, [&](int64_t lane) { kernel(step, lane, arguments...); });
}

}  // namespace

void RnnForward(const GateStep& step, bool relu) {
  OverLanes(LOCKSTEP_DISPATCH(RnnForwardLane), step, relu);
}
void RnnBackward(const GateStep& step, bool relu) {
  OverLanes(LOCKSTEP_DISPATCH(RnnBackwardLane), step, relu);
}
void LstmForward(const GateStep& step) { OverLanes(LOCKSTEP_DISPATCH(LstmForwardLane), step); }
void LstmBackward(const GateStep& step) { OverLanes(LOCKSTEP_DISPATCH(LstmBackwardLane), step); }
void LstmOutputForward(const GateStep& step) {
  OverLanes(LOCKSTEP_DISPATCH(LstmOutputForwardLane), step);
}
void LstmOutputBackward(const GateStep& step) {
  OverLanes(LOCKSTEP_DISPATCH(LstmOutputBackwardLane), step);
}
void GruForward(const GateStep& step) { OverLanes(LOCKSTEP_DISPATCH(GruForwardLane), step); }
void GruBackward(const GateStep& step) { OverLanes(LOCKSTEP_DISPATCH(GruBackwardLane), step); }
void GruResetForward(const GateStep& step) {
  OverLanes(LOCKSTEP_DISPATCH(GruResetForwardLane), step);
}
void GruOutputForward(const GateStep& step) {
  OverLanes(LOCKSTEP_DISPATCH(GruOutputForwardLane), step);
}
void GruOutputBackward(const GateStep& step) {
  OverLanes(LOCKSTEP_DISPATCH(GruOutputBackwardLane), step);
}
void GruResetBackward(const GateStep& step) {
  OverLanes(LOCKSTEP_DISPATCH(GruResetBackwardLane), step);
}

const char* GateKernelTarget() { return LOCKSTEP_DISPATCH(TargetName)(); }

}  // namespace lockstep::worker
#endif
