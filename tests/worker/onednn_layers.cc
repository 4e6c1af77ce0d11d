#include "tests/worker/onednn_layers.h"

#include <algorithm>
#include <stdexcept>
#include <unordered_map>

#include <dnnl.hpp>

namespace lockstep::worker {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
constexpr auto kDirection = dnnl::rnn_direction::unidirectional_left2right;

memory::desc Describe(const memory::dims& dims, Tag tag) {
  return {dims, memory::data_type::f32, tag};
}

int64_t BiasGates(Cell cell) { return cell == Cell::kGru ? 4 : FactsOf(cell).gates; }

// The descriptions of all arguments; weights in whatever layout the primitive likes best.
struct Layouts {
  explicit Layouts(const OnednnLayers::Shape& s)
      : gates(FactsOf(s.cell).gates),
        source(Describe({s.time_steps, s.lanes, s.input_size}, Tag::tnc)),
        output(Describe({s.time_steps, s.lanes, s.hidden_size}, Tag::tnc)),
        state(Describe({s.layers, 1, s.lanes, s.hidden_size}, Tag::ldnc)),
        weights_ih(Describe({s.layers, 1, s.input_size, gates, s.hidden_size}, Tag::any)),
        weights_hh(Describe({s.layers, 1, s.hidden_size, gates, s.hidden_size}, Tag::any)),
        bias(Describe({s.layers, 1, BiasGates(s.cell), s.hidden_size}, Tag::ldgo)) {}
  int64_t gates;
  memory::desc source, output, state, weights_ih, weights_hh, bias;
};

struct Descriptions {
  dnnl::rnn_primitive_desc_base forward, backward;
};

// `head`: the activation of a plain RNN, nothing for the others.
template <class Forward, class Backward, class... Head>
Descriptions DescribeWith(const dnnl::engine& engine, const Layouts& l, const Head&... head) {
  constexpr auto kForward = dnnl::prop_kind::forward_training;
  constexpr auto kBackward = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
  const typename Forward::primitive_desc forward(engine, kForward, head..., kDirection, l.source,
                                                 l.state, l.weights_ih, l.weights_hh, l.bias,
                                                 l.output, l.state);
  const typename Backward::primitive_desc backward(
      engine, kBackward, head..., kDirection, l.source, l.state, l.weights_ih, l.weights_hh, l.bias,
      l.output, l.state, l.source, l.state, l.weights_ih, l.weights_hh, l.bias, l.output, l.state,
      forward);
#else
  const typename Forward::primitive_desc forward(
      {kForward, head..., kDirection, l.source, l.state, l.weights_ih, l.weights_hh, l.bias,
       l.output, l.state},
      engine);
  const typename Backward::primitive_desc backward(
      {kBackward, head..., kDirection, l.source, l.state, l.weights_ih, l.weights_hh, l.bias,
       l.output, l.state, l.source, l.state, l.weights_ih, l.weights_hh, l.bias, l.output, l.state},
      engine, forward);
#endif
  return {forward, backward};
}

Descriptions DescribeLstm(const dnnl::engine& engine, const Layouts& l) {
  constexpr auto kForward = dnnl::prop_kind::forward_training;
  constexpr auto kBackward = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::lstm_forward::primitive_desc forward(engine, kForward, kDirection, l.source, l.state,
                                                   l.state, l.weights_ih, l.weights_hh, l.bias,
                                                   l.output, l.state, l.state);
  const dnnl::lstm_backward::primitive_desc backward(
      engine, kBackward, kDirection, l.source, l.state, l.state, l.weights_ih, l.weights_hh, l.bias,
      l.output, l.state, l.state, l.source, l.state, l.state, l.weights_ih, l.weights_hh, l.bias,
      l.output, l.state, l.state, forward);
#else
  const dnnl::lstm_forward::primitive_desc forward(
      {kForward, kDirection, l.source, l.state, l.state, l.weights_ih, l.weights_hh, l.bias,
       l.output, l.state, l.state},
      engine);
  const dnnl::lstm_backward::primitive_desc backward(
      {kBackward,    kDirection,   l.source, l.state,  l.state,  l.weights_ih, l.weights_hh,
       l.bias,       l.output,     l.state,  l.state,  l.source, l.state,      l.state,
       l.weights_ih, l.weights_hh, l.bias,   l.output, l.state,  l.state},
      engine, forward);
#endif
  return {forward, backward};
}

Descriptions DescribeCell(Cell cell, const dnnl::engine& engine, const Layouts& l) {
  using dnnl::algorithm;
  switch (cell) {
    case Cell::kRnnTanh:
      return DescribeWith<dnnl::vanilla_rnn_forward, dnnl::vanilla_rnn_backward>(
          engine, l, algorithm::eltwise_tanh);
    case Cell::kRnnRelu:
      return DescribeWith<dnnl::vanilla_rnn_forward, dnnl::vanilla_rnn_backward>(
          engine, l, algorithm::eltwise_relu);
    case Cell::kLstm:
      return DescribeLstm(engine, l);
    case Cell::kLstmPeephole:  // it does, but not here
      break;
    case Cell::kGru:
      return DescribeWith<dnnl::lbr_gru_forward, dnnl::lbr_gru_backward>(engine, l);
    case Cell::kGruResetBefore:
      return DescribeWith<dnnl::gru_forward, dnnl::gru_backward>(engine, l);
  }
  throw std::logic_error("a cell that oneDNN does not have");
}

float* Data(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

size_t Floats(const memory& m) { return m.get_desc().get_size() / sizeof(float); }

void Zero(const memory& m) { std::fill_n(Data(m), Floats(m), 0.0f); }

}  // namespace

struct OnednnLayers::Impl {
  explicit Impl(const Shape& s)
      : shape(s),
        layouts(s),
        description(DescribeCell(s.cell, engine, layouts)),
        run_forward(description.forward),
        run_backward(description.backward) {
    const auto &forward = description.forward, &backward = description.backward;
    source = memory(layouts.source, engine, DNNL_MEMORY_NONE);    // the caller's array
    d_output = memory(layouts.output, engine, DNNL_MEMORY_NONE);  // the caller's array
    d_source = memory(layouts.source, engine);
    output = memory(layouts.output, engine);
    for (auto* m : {&h0, &c0, &h, &c, &d_h0, &d_c0, &d_h, &d_c}) {
      *m = memory(layouts.state, engine);
      Zero(*m);
    }
    for (auto* m : {&bias, &d_bias}) *m = memory(layouts.bias, engine);
    workspace = memory(forward.workspace_desc(), engine);
    weights_ih = memory(forward.weights_layer_desc(), engine);
    weights_hh = memory(forward.weights_iter_desc(), engine);
    back_weights_ih = memory(backward.weights_layer_desc(), engine);
    back_weights_hh = memory(backward.weights_iter_desc(), engine);
    d_weights_ih = memory(backward.diff_weights_layer_desc(), engine);
    d_weights_hh = memory(backward.diff_weights_iter_desc(), engine);
    Arguments();
  }

  void Arguments() {
    forward_arguments = {{DNNL_ARG_SRC_LAYER, source},
                         {DNNL_ARG_SRC_ITER, h0},
                         {DNNL_ARG_WEIGHTS_LAYER, weights_ih},
                         {DNNL_ARG_WEIGHTS_ITER, weights_hh},
                         {DNNL_ARG_BIAS, bias},
                         {DNNL_ARG_DST_LAYER, output},
                         {DNNL_ARG_DST_ITER, h},
                         {DNNL_ARG_WORKSPACE, workspace}};
    backward_arguments = forward_arguments;
    backward_arguments[DNNL_ARG_WEIGHTS_LAYER] = back_weights_ih;
    backward_arguments[DNNL_ARG_WEIGHTS_ITER] = back_weights_hh;
    backward_arguments.insert({{DNNL_ARG_DIFF_SRC_LAYER, d_source},
                               {DNNL_ARG_DIFF_SRC_ITER, d_h0},
                               {DNNL_ARG_DIFF_WEIGHTS_LAYER, d_weights_ih},
                               {DNNL_ARG_DIFF_WEIGHTS_ITER, d_weights_hh},
                               {DNNL_ARG_DIFF_BIAS, d_bias},
                               {DNNL_ARG_DIFF_DST_LAYER, d_output},
                               {DNNL_ARG_DIFF_DST_ITER, d_h}});
    if (!has_c()) return;
    for (auto* arguments : {&forward_arguments, &backward_arguments}) {
      arguments->insert({{DNNL_ARG_SRC_ITER_C, c0}, {DNNL_ARG_DST_ITER_C, c}});
    }
    backward_arguments.insert({{DNNL_ARG_DIFF_SRC_ITER_C, d_c0}, {DNNL_ARG_DIFF_DST_ITER_C, d_c}});
  }

  void Copy(const memory& from, const memory& to) {
    dnnl::reorder(from, to).execute(stream, const_cast<memory&>(from), const_cast<memory&>(to));
    stream.wait();
  }

  // PyTorch's [L, g, H, K] is oneDNN's dimensions [L, 1, K, g, H] in the order ldgoi.
  memory Torch(int64_t inputs, float* data) const {
    return {Describe({shape.layers, 1, inputs, layouts.gates, shape.hidden_size}, Tag::ldgoi),
            engine, data};
  }

  bool has_c() const { return shape.cell == Cell::kLstm; }

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  const Shape shape;
  const Layouts layouts;
  Descriptions description;
  dnnl::primitive run_forward, run_backward;
  memory source, output, h0, c0, h, c, bias, workspace, weights_ih, weights_hh, back_weights_ih,
      back_weights_hh;
  memory d_source, d_output, d_h0, d_c0, d_h, d_c, d_bias, d_weights_ih, d_weights_hh;
  std::unordered_map<int, memory> forward_arguments, backward_arguments;
};

OnednnLayers::OnednnLayers(const Shape& shape) : impl_(std::make_unique<Impl>(shape)) {}
OnednnLayers::~OnednnLayers() = default;

void OnednnLayers::SetWeights(const float* weights_ih, const float* weights_hh, const float* bias) {
  const memory ih = impl_->Torch(impl_->shape.input_size, const_cast<float*>(weights_ih));
  const memory hh = impl_->Torch(impl_->shape.hidden_size, const_cast<float*>(weights_hh));
  impl_->Copy(ih, impl_->weights_ih);
  impl_->Copy(ih, impl_->back_weights_ih);
  impl_->Copy(hh, impl_->weights_hh);
  impl_->Copy(hh, impl_->back_weights_hh);
  std::copy_n(bias, Floats(impl_->bias), Data(impl_->bias));
}

const float* OnednnLayers::Forward(const float* x, float* h, float* c) {
  impl_->source.set_data_handle(const_cast<float*>(x));
  std::copy_n(h, Floats(impl_->h0), Data(impl_->h0));
  if (impl_->has_c()) std::copy_n(c, Floats(impl_->c0), Data(impl_->c0));
  impl_->run_forward.execute(impl_->stream, impl_->forward_arguments);
  impl_->stream.wait();
  std::copy_n(Data(impl_->h), Floats(impl_->h), h);
  if (impl_->has_c()) std::copy_n(Data(impl_->c), Floats(impl_->c), c);
  return Data(impl_->output);
}

void OnednnLayers::Backward(const float* d_output) {
  // The primitive adds to the gradients of the weights.
  Zero(impl_->d_weights_ih);
  Zero(impl_->d_weights_hh);
  Zero(impl_->d_bias);
  impl_->d_output.set_data_handle(const_cast<float*>(d_output));
  impl_->run_backward.execute(impl_->stream, impl_->backward_arguments);
  impl_->stream.wait();
}

OnednnLayers::Gradients OnednnLayers::gradients() const {
  const Shape& s = impl_->shape;
  Gradients result;
  result.weights_ih.resize(s.layers * impl_->layouts.gates * s.hidden_size * s.input_size);
  result.weights_hh.resize(s.layers * impl_->layouts.gates * s.hidden_size * s.hidden_size);
  impl_->Copy(impl_->d_weights_ih, impl_->Torch(s.input_size, result.weights_ih.data()));
  impl_->Copy(impl_->d_weights_hh, impl_->Torch(s.hidden_size, result.weights_hh.data()));
  result.input.assign(Data(impl_->d_source), Data(impl_->d_source) + Floats(impl_->d_source));
  result.bias.assign(Data(impl_->d_bias), Data(impl_->d_bias) + Floats(impl_->d_bias));
  return result;
}

}  // namespace lockstep::worker
