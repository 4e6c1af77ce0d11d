#include <algorithm>

#include <omp.h>

#include "worker/layers/recurrent_layer.h"
#include "worker/parallel_for.h"

// The part of RecurrentLayer that goes from time step to time step.

namespace lockstep::worker {
namespace {

// Where all items reach every time step of every pass, products of one shape; else of any number of
// rows.
void PackFor(const PackedSteps& steps, int64_t n, int64_t k, int64_t a_stride, Matrix b,
             PackedMatrix& packed) {
  if (steps.is_uniform() && !VaryingRows::IsOn()) {
    packed.Pack(steps.items(), n, k, a_stride, b);
  } else {
    packed.PackForAnyRows(n, k, a_stride, b);
  }
}

// See OverLanes. A thread has a multiple of so many lanes, but for the last one: the rows of a
// product's tile, or (AVX-512) half of them, which are worth it, too (see below).
constexpr int64_t kTileLanes = 4;

// How many floats of Wh a thread may read at each time step with so many lanes of its own: a
// quarter of its core's second cache level, or as many as these make worth it. (2 threads, against
// products and gates that the threads share. AMD with AVX2 and 512 KB: LSTM of 128 and 16 lanes a
// thread 5% faster, GRU of 128 6%, LSTM of 128 and 32 lanes 10%; LSTM of 256 and 32 lanes 3% faster
// or slower, of 512 3% slower. Intel with AVX-512 and 2 MB: LSTM of 128 and 4 lanes 12% faster, of
// 256 and 4 to 16 lanes 0 to 2%, and 32 lanes 2% slower.)
int64_t MostFloats(int64_t lanes) { return std::max(NearFloats(), lanes << 12); }

void CopyOrZero(const float* from, int64_t size, float* to) {
  from ? std::copy_n(from, size, to) : std::fill_n(to, size, 0.0f);
}

}  // namespace

GateStep RecurrentLayer::StepAt(int64_t t, Lanes lanes) {
  const int64_t H = units_, P = outputs_, first = lanes.begin, row = steps_.first_row(t) + first;
  GateStep step;
  step.lanes = lanes.count();
  step.units = H;
  step.gate_stride = gate_stride_;
  step.product = ProductOf(lanes);
  step.gates = pre_.data() + row * gate_stride_;
  if (input_tokens_) {
    step.tokens = input_tokens_ + row;
    step.table = table_.input_sides();
  }
  step.h_previous =
      GathersStates() ? h_before_.data() + row * P : h_.data() + (Before(t) + first) * P;
  step.h = projects() ? unprojected_.data() + row * H : h_.data() + (Behind(t) + first) * P;
  if (facts_.has_c) {
    step.c_previous =
        GathersStates() ? c_before_.data() + row * H : c_.data() + (Before(t) + first) * H;
    step.c = c_.data() + (Behind(t) + first) * H;
  }
  if (facts_.peephole) step.peephole = parameters_.value(peephole_);
  if (facts_.keeps_candidate) {
    step.candidate = candidate_.data() + row * H;
    step.candidate_bias = parameters_.value(bias_hh_) + (facts_.gates - 1) * H;
  }
  step.d_h = d_h_.data() + first * P;
  if (facts_.has_c) step.d_c = d_c_.data() + first * H;
  return step;
}

Ahead RecurrentLayer::AheadOfForward(const GateStep& step) const {
  Ahead ahead;
  ahead.Add(step.gates, step.lanes * gate_stride_);
  return ahead;
}

Ahead RecurrentLayer::AheadOfBackward(const GateStep& step, const float* d_output) const {
  const int64_t size = step.lanes * units_;
  const bool is_gru = facts_.keeps_candidate;
  Ahead ahead = AheadOfForward(step);
  if (d_output) ahead.Add(d_output, step.lanes * outputs_);
  ahead.Add(facts_.has_c ? step.c_previous : is_gru ? step.h_previous : step.h, size);
  if (facts_.candidate_bias_apart) ahead.Add(step.candidate, size);
  return ahead;
}

void RecurrentLayer::BeginForward(LayerState state) {
  const int64_t H = units_, P = outputs_, from_h = facts_.gates_from_h() * H;
  const float* weights = MakeRecurrentWeights();
  PackFor(steps_, from_h, P, P, {weights, P, true}, forward_weights_);
  if (projects()) {
    PackFor(steps_, P, H, H, {parameters_.value(weight_hr_), H, true}, forward_projection_);
  }
  if (facts_.reset_before) {
    PackFor(steps_, H, H, H, {weights + from_h * H, H, true}, forward_candidate_);
  }
  PlaceFirstState(state);
}

void RecurrentLayer::PlaceFirstState(LayerState state) {
  const int64_t items = steps_.items(), H = units_, P = outputs_;
  std::copy_n(state.h, items * P, h_.data() + FirstStates() * P);
  if (facts_.has_c) std::copy_n(state.c, items * H, c_.data() + FirstStates() * H);
}

void RecurrentLayer::GatherStates(int64_t t, int64_t width, Buffer& states, Buffer& before) {
  const int64_t items = steps_.items_at(t);
  const int64_t going = t + 1 < steps_.time_steps() ? steps_.items_at(t + 1) : 0;
  float* to = before.data() + steps_.first_row(t) * width;
  std::copy_n(states.data() + Behind(t + 1) * width, going * width, to);
  std::copy_n(states.data() + (FirstStates() + going) * width, (items - going) * width,
              to + going * width);
}

void RecurrentLayer::ForwardStep(int64_t t, Lanes lanes) {
  if (GathersStates()) {  // of all lanes
    GatherStates(t, outputs_, h_, h_before_);
    if (facts_.has_c) GatherStates(t, units_, c_, c_before_);
  }
  const GateStep step = StepAt(t, lanes);
  const int64_t row = steps_.first_row(t) + lanes.begin, from_h = facts_.gates_from_h() * units_;
  float* product = ProductOf(lanes);
  forward_weights_.Multiply(step.lanes, step.h_previous, product, false, nullptr,
                            AheadOfForward(step));
  if (norm_) norm_->Hidden(row, step.lanes, 0, from_h, product);
  switch (cell_) {
    case Cell::kRnnTanh:
    case Cell::kRnnRelu:
      RnnForward(step, cell_ == Cell::kRnnRelu);
      break;
    case Cell::kLstm:
    case Cell::kLstmPeephole:
      LstmForward(step);
      if (norm_) norm_->Output(row, step);
      break;
    case Cell::kGru:
      GruForward(step);
      break;
    case Cell::kGruResetBefore:
      GruResetForward(step);
      forward_candidate_.Multiply(step.lanes, step.candidate, product);
      if (norm_) norm_->Hidden(row, step.lanes, from_h, units_, product);
      GruOutputForward(step);
      break;
  }
  if (projects()) {
    forward_projection_.Multiply(step.lanes, step.h,
                                 h_.data() + (Behind(t) + lanes.begin) * outputs_);
  }
}

void RecurrentLayer::EndForward(LayerState state) const {
  const auto copy = [&](const Buffer& states, int64_t width, float* to) {
    if (reverse_ || steps_.is_uniform()) {
      std::copy_n(states.data() + Behind(TimeOf(steps_.time_steps() - 1)) * width,
                  steps_.items() * width, to);
      return;
    }
    for (int64_t item = 0; item < steps_.items(); ++item) {
      std::copy_n(states.data() + (steps_.items() + steps_.last_row(item)) * width, width,
                  to + item * width);
    }
  };
  copy(h_, outputs_, state.h);
  if (facts_.has_c) copy(c_, units_, state.c);
}

// A lane's time steps need nothing of another lane's. So each thread may go through all of them
// with lanes of its own, and nobody waits for anybody: what a step has left stands in the thread's
// own cache, and no barrier follows the product and the gates. But then each thread reads all of
// the weights at each time step, which pays only where they stay in its cache.
template <class Pass>
void RecurrentLayer::OverLanes(std::initializer_list<const PackedMatrix*> weights,
                               const Pass& pass) const {
  const int64_t items = steps_.items();
  const int64_t threads = omp_get_max_threads();
  const bool share = std::ranges::all_of(
      weights, [](const PackedMatrix* matrix) { return matrix->threads_may_share(); });
  if (threads < 2 || items / kTileLanes < threads || norm_ || !steps_.is_uniform() || !share ||
      width() * outputs_ > MostFloats(items / threads)) {
    return pass(Lanes{0, items});
  }
#pragma omp parallel
  {
    const int64_t parts = omp_get_num_threads(), part = omp_get_thread_num();
    const int64_t tiles = (items + kTileLanes - 1) / kTileLanes;
    pass(Lanes{std::min(items, part * tiles / parts * kTileLanes),
               std::min(items, (part + 1) * tiles / parts * kTileLanes)});
  }
}

void RecurrentLayer::ForwardSteps(LayerState state) {
  BeginForward(state);
  OverLanes({&forward_weights_, &forward_candidate_, &forward_projection_}, [&](Lanes lanes) {
    for (int64_t i = 0; i < steps_.time_steps(); ++i) {
      const int64_t t = TimeOf(i);
      ForwardStep(t, lanes.UpTo(steps_.items_at(t)));
    }
  });
  EndForward(state);
}

// An item's gradient stands in its row of d_h_ until the way back comes by its first time step, and
// again after its last one.
void RecurrentLayer::BeginBackward(const LayerStateGradient& state) {
  state_gradient_ = state;
  const int64_t H = units_, P = outputs_, from_h = facts_.gates_from_h() * H;
  const int64_t items = steps_.items();
  const float* weights = recurrent_weights();
  PackFor(steps_, P, from_h, gate_stride_, {weights, P}, backward_weights_);
  if (projects()) {
    PackFor(steps_, H, P, P, {parameters_.value(weight_hr_), H}, backward_projection_);
    d_projected_.Require(steps_.rows() * P);
    d_unprojected_.Require(items * H);
  }
  if (facts_.reset_before) {
    PackFor(steps_, H, H, gate_stride_, {weights + from_h * H, H}, backward_candidate_);
  }
  CopyOrZero(state.d_h_final, items * P, d_h_.data());
  if (facts_.has_c) CopyOrZero(state.d_c_final, items * H, d_c_.data());
  const int64_t size = items * std::max(H, P);
  std::fill_n(no_output_.Require(size), size, 0.0f);
}

void RecurrentLayer::BackwardTimeStep(int64_t t, const float* d_output_t,
                                      const float* d_output_next, Lanes lanes) {
  GateStep step = StepAt(t, lanes);
  const int64_t row = steps_.first_row(t) + lanes.begin, from_h = facts_.gates_from_h() * units_;
  // dL/d(hidden side), the columns from `first` on.
  const auto d_hidden = [&](int64_t first, int64_t columns) {
    return norm_ ? norm_->HiddenBackward(row, step.lanes, first, columns, step.gates)
                 : step.gates + first;
  };
  step.d_output = d_output_t ? d_output_t + lanes.begin * outputs_ : no_output_.data();
  if (projects()) {
    float* d_projected = d_projected_.data() + row * outputs_;
    ParallelFor(step.lanes, [&](int64_t lane) {
      for (int64_t i = lane * outputs_; i < (lane + 1) * outputs_; ++i) {
        d_projected[i] = step.d_output[i] + step.d_h[i];
      }
    });
    float* d_unprojected = d_unprojected_.data() + lanes.begin * units_;
    backward_projection_.Multiply(step.lanes, d_projected, d_unprojected);
    step.d_output = d_unprojected;
    step.d_h = no_output_.data();
  }
  switch (cell_) {
    case Cell::kRnnTanh:
    case Cell::kRnnRelu:
      RnnBackward(step, cell_ == Cell::kRnnRelu);
      break;
    case Cell::kLstm:
    case Cell::kLstmPeephole:
      if (norm_) {
        norm_->OutputBackward(row, step, no_output_.data());
      } else {
        LstmBackward(step);
      }
      break;
    case Cell::kGru:
      GruBackward(step);
      break;
    case Cell::kGruResetBefore:
      GruOutputBackward(step);
      backward_candidate_.Multiply(step.lanes, d_hidden(from_h, units_), ProductOf(lanes));
      GruResetBackward(step);
      break;
  }
  const float* d_joint = d_hidden(0, from_h);
  const int64_t before = t + (reverse_ ? 1 : -1);
  const bool ends = before < 0 || before == steps_.time_steps();
  if (!ends || state_gradient_.d_h_initial) {
    Ahead ahead;
    if (!ends) {
      const Lanes next = lanes.UpTo(steps_.items_at(before));
      ahead = AheadOfBackward(StepAt(before, next),
                              d_output_next ? d_output_next + next.begin * outputs_ : nullptr);
    }
    backward_weights_.Multiply(step.lanes, d_joint, d_h_.data() + lanes.begin * outputs_,
                               facts_.direct_path, nullptr, ahead);
  }
}

void RecurrentLayer::EndBackward() const {
  const int64_t items = steps_.items();
  const LayerStateGradient& state = state_gradient_;
  if (state.d_h_initial) std::copy_n(d_h_.data(), items * outputs_, state.d_h_initial);
  if (facts_.has_c && state.d_c_initial) {
    std::copy_n(d_c_.data(), items * units_, state.d_c_initial);
  }
}

void RecurrentLayer::BackwardSteps(const float* d_output, const LayerStateGradient& state) {
  BeginBackward(state);
  OverLanes({&backward_weights_, &backward_candidate_, &backward_projection_}, [&](Lanes lanes) {
    const auto outputs_of = [&](int64_t i) {
      return d_output && i >= 0 ? d_output + steps_.first_row(TimeOf(i)) * outputs_ : nullptr;
    };
    for (int64_t i = steps_.time_steps() - 1; i >= 0; --i) {
      const int64_t t = TimeOf(i);
      BackwardTimeStep(t, outputs_of(i), outputs_of(i - 1), lanes.UpTo(steps_.items_at(t)));
    }
  });
  EndBackward();
}

const float* RecurrentLayer::AllStatesBefore() {
  if (steps_.is_uniform()) return h_.data() + Before(0) * outputs_;
  if (reverse_) return h_before_.data();
  const int64_t P = outputs_;
  float* before = h_before_.Require(steps_.rows() * P);
  for (int64_t t = 0; t < steps_.time_steps(); ++t) {
    std::copy_n(h_.data() + Before(t) * P, steps_.items_at(t) * P,
                before + steps_.first_row(t) * P);
  }
  return before;
}

void RecurrentLayer::BeginSteps(const PackedSteps& steps, LayerState state) {
  Prepare(steps);
  state_ = state;
  CombinedBias();
  input_weights_.PackForAnyRows(width(), input_size_, input_size_,
                                {parameters_.value(weight_ih_), input_size_, true}, gate_stride_);
  BeginForward(state);
}

void RecurrentLayer::InputStep(int64_t row, int64_t items, const float* x) {
  float* gates = pre_.data() + row * gate_stride_;
  if (norm_) {
    input_weights_.Multiply(items, x, norm_->input_side(row));
    norm_->Input(row, items, bias_.data(), gates);
  } else {
    input_weights_.Multiply(items, x, gates, false, bias_.data());
  }
}

const float* RecurrentLayer::Step(int64_t t, const float* x_t) {
  InputStep(steps_.first_row(t), steps_.items_at(t), x_t);
  ForwardStep(t, AllLanes(t));
  if (t + 1 == steps_.time_steps()) EndForward(state_);
  return h_.data() + Behind(t) * outputs_;
}

void RecurrentLayer::BeginBackwardSteps(const LayerStateGradient& state) {
  BeginBackward(state);
  const int64_t I = input_size_, H = units_, joint = joint_columns();
  const float* weights = parameters_.value(weight_ih_);
  input_backward_weights_.PackForAnyRows(I, joint, gate_stride_, {weights, I});
  if (joint < width()) input_backward_apart_.PackForAnyRows(I, H, H, {weights + joint * I, I});
}

void RecurrentLayer::BackwardStep(int64_t t, const float* d_output_t, float* d_x_t) {
  BackwardTimeStep(t, d_output_t, nullptr, AllLanes(t));
  const int64_t items = steps_.items_at(t), row = steps_.first_row(t);
  const float* d_input = pre_.data() + row * gate_stride_;
  const float* d_apart = apart() ? candidate_.data() + row * units_ : nullptr;
  if (norm_) d_input = norm_->InputBackward(row, items, d_input, d_apart);
  if (!d_x_t) return;
  input_backward_weights_.Multiply(items, d_input, d_x_t);
  if (joint_columns() < width()) input_backward_apart_.Multiply(items, d_apart, d_x_t, true);
}

void RecurrentLayer::FinishBackwardSteps(const float* x) {
  const VaryingRows varying(!steps_.is_uniform());
  EndBackward();
  BiasGradients(InputSideSums());
  RecurrentGradients();
  InputGradients(x);
}

void RecurrentLayer::BeginSingleSteps() {
  const int64_t H = units_, P = outputs_, from_h = facts_.gates_from_h() * H;
  const float* weights = parameters_.value(weight_hh_);
  CombinedBias();
  input_weights_.PackForAnyRows(width(), input_size_, input_size_,
                                {parameters_.value(weight_ih_), input_size_, true}, gate_stride_);
  forward_weights_.PackForAnyRows(from_h, P, P, {weights, P, true});
  if (projects()) {
    forward_projection_.PackForAnyRows(P, H, H, {parameters_.value(weight_hr_), H, true});
  }
  if (facts_.reset_before) {
    forward_candidate_.PackForAnyRows(H, H, H, {weights + from_h * H, H, true});
  }
}

const float* RecurrentLayer::SingleStep(int64_t rows, const float* x, LayerState state) {
  Prepare(PackedSteps::Uniform(1, rows));
  PlaceFirstState(state);
  InputStep(0, rows, x);
  ForwardStep(0, {0, rows});
  EndForward(state);
  return h_.data() + Behind(0) * outputs_;
}

}  // namespace lockstep::worker
