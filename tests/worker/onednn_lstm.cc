#include "tests/worker/onednn_lstm.h"

#include <algorithm>
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

// The descriptions of all arguments; weights in whatever layout the primitive likes best.
struct Layouts {
  explicit Layouts(const OnednnLstm::Shape& s)
      : source(Describe({s.time_steps, s.lanes, s.input_size}, Tag::tnc)),
        output(Describe({s.time_steps, s.lanes, s.hidden_size}, Tag::tnc)),
        state(Describe({s.layers, 1, s.lanes, s.hidden_size}, Tag::ldnc)),
        weights_ih(Describe({s.layers, 1, s.input_size, 4, s.hidden_size}, Tag::any)),
        weights_hh(Describe({s.layers, 1, s.hidden_size, 4, s.hidden_size}, Tag::any)),
        bias(Describe({s.layers, 1, 4, s.hidden_size}, Tag::ldgo)) {}
  memory::desc source, output, state, weights_ih, weights_hh, bias;
};

dnnl::lstm_forward::primitive_desc DescribeForward(const dnnl::engine& engine, const Layouts& l) {
  constexpr auto kKind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,       kKind,        kDirection, l.source, l.state, l.state,
          l.weights_ih, l.weights_hh, l.bias,     l.output, l.state, l.state};
#else
  return {{kKind, kDirection, l.source, l.state, l.state, l.weights_ih, l.weights_hh, l.bias,
           l.output, l.state, l.state},
          engine};
#endif
}

dnnl::lstm_backward::primitive_desc DescribeBackward(
    const dnnl::engine& engine, const Layouts& l,
    const dnnl::lstm_forward::primitive_desc& forward) {
  constexpr auto kKind = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,       kKind,        kDirection, l.source,     l.state,      l.state,
          l.weights_ih, l.weights_hh, l.bias,     l.output,     l.state,      l.state,
          l.source,     l.state,      l.state,    l.weights_ih, l.weights_hh, l.bias,
          l.output,     l.state,      l.state,    forward};
#else
  return {{kKind,        kDirection,   l.source, l.state,  l.state,  l.weights_ih, l.weights_hh,
           l.bias,       l.output,     l.state,  l.state,  l.source, l.state,      l.state,
           l.weights_ih, l.weights_hh, l.bias,   l.output, l.state,  l.state},
          engine,
          forward};
#endif
}

float* Data(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

size_t Floats(const memory& m) { return m.get_desc().get_size() / sizeof(float); }

void Zero(const memory& m) { std::fill_n(Data(m), Floats(m), 0.0f); }

}  // namespace

struct OnednnLstm::Impl {
  explicit Impl(const Shape& s)
      : shape(s),
        layouts(s),
        forward(DescribeForward(engine, layouts)),
        backward(DescribeBackward(engine, layouts, forward)),
        run_forward(forward),
        run_backward(backward) {
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
                         {DNNL_ARG_SRC_ITER_C, c0},
                         {DNNL_ARG_WEIGHTS_LAYER, weights_ih},
                         {DNNL_ARG_WEIGHTS_ITER, weights_hh},
                         {DNNL_ARG_BIAS, bias},
                         {DNNL_ARG_DST_LAYER, output},
                         {DNNL_ARG_DST_ITER, h},
                         {DNNL_ARG_DST_ITER_C, c},
                         {DNNL_ARG_WORKSPACE, workspace}};
    backward_arguments = forward_arguments;
    backward_arguments[DNNL_ARG_WEIGHTS_LAYER] = back_weights_ih;
    backward_arguments[DNNL_ARG_WEIGHTS_ITER] = back_weights_hh;
    backward_arguments.insert({{DNNL_ARG_DIFF_SRC_LAYER, d_source},
                               {DNNL_ARG_DIFF_SRC_ITER, d_h0},
                               {DNNL_ARG_DIFF_SRC_ITER_C, d_c0},
                               {DNNL_ARG_DIFF_WEIGHTS_LAYER, d_weights_ih},
                               {DNNL_ARG_DIFF_WEIGHTS_ITER, d_weights_hh},
                               {DNNL_ARG_DIFF_BIAS, d_bias},
                               {DNNL_ARG_DIFF_DST_LAYER, d_output},
                               {DNNL_ARG_DIFF_DST_ITER, d_h},
                               {DNNL_ARG_DIFF_DST_ITER_C, d_c}});
  }

  void Copy(const memory& from, const memory& to) {
    dnnl::reorder(from, to).execute(stream, const_cast<memory&>(from), const_cast<memory&>(to));
    stream.wait();
  }

  // PyTorch's [L, 4, H, K] is oneDNN's dimensions [L, 1, K, 4, H] in the order ldgoi.
  memory Torch(int64_t inputs, float* data) const {
    return {Describe({shape.layers, 1, inputs, 4, shape.hidden_size}, Tag::ldgoi), engine, data};
  }

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  const Shape shape;
  const Layouts layouts;
  dnnl::lstm_forward::primitive_desc forward;
  dnnl::lstm_backward::primitive_desc backward;
  dnnl::lstm_forward run_forward;
  dnnl::lstm_backward run_backward;
  memory source, output, h0, c0, h, c, bias, workspace, weights_ih, weights_hh, back_weights_ih,
      back_weights_hh;
  memory d_source, d_output, d_h0, d_c0, d_h, d_c, d_bias, d_weights_ih, d_weights_hh;
  std::unordered_map<int, memory> forward_arguments, backward_arguments;
};

OnednnLstm::OnednnLstm(const Shape& shape) : impl_(std::make_unique<Impl>(shape)) {}
OnednnLstm::~OnednnLstm() = default;

void OnednnLstm::SetWeights(const float* weights_ih, const float* weights_hh, const float* bias) {
  const memory ih = impl_->Torch(impl_->shape.input_size, const_cast<float*>(weights_ih));
  const memory hh = impl_->Torch(impl_->shape.hidden_size, const_cast<float*>(weights_hh));
  impl_->Copy(ih, impl_->weights_ih);
  impl_->Copy(ih, impl_->back_weights_ih);
  impl_->Copy(hh, impl_->weights_hh);
  impl_->Copy(hh, impl_->back_weights_hh);
  std::copy_n(bias, Floats(impl_->bias), Data(impl_->bias));
}

const float* OnednnLstm::Forward(const float* x, float* h, float* c) {
  impl_->source.set_data_handle(const_cast<float*>(x));
  std::copy_n(h, Floats(impl_->h0), Data(impl_->h0));
  std::copy_n(c, Floats(impl_->c0), Data(impl_->c0));
  impl_->run_forward.execute(impl_->stream, impl_->forward_arguments);
  impl_->stream.wait();
  std::copy_n(Data(impl_->h), Floats(impl_->h), h);
  std::copy_n(Data(impl_->c), Floats(impl_->c), c);
  return Data(impl_->output);
}

void OnednnLstm::Backward(const float* d_output) {
  // The primitive adds to the gradients of the weights.
  Zero(impl_->d_weights_ih);
  Zero(impl_->d_weights_hh);
  Zero(impl_->d_bias);
  impl_->d_output.set_data_handle(const_cast<float*>(d_output));
  impl_->run_backward.execute(impl_->stream, impl_->backward_arguments);
  impl_->stream.wait();
}

OnednnLstm::Gradients OnednnLstm::gradients() const {
  const Shape& s = impl_->shape;
  Gradients result;
  result.weights_ih.resize(s.layers * 4 * s.hidden_size * s.input_size);
  result.weights_hh.resize(s.layers * 4 * s.hidden_size * s.hidden_size);
  impl_->Copy(impl_->d_weights_ih, impl_->Torch(s.input_size, result.weights_ih.data()));
  impl_->Copy(impl_->d_weights_hh, impl_->Torch(s.hidden_size, result.weights_hh.data()));
  result.input.assign(Data(impl_->d_source), Data(impl_->d_source) + Floats(impl_->d_source));
  result.bias.assign(Data(impl_->d_bias), Data(impl_->d_bias) + Floats(impl_->d_bias));
  return result;
}

}  // namespace lockstep::worker
