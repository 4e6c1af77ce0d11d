#include "worker/models/sequence_labeler.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include "worker/layers/token_input.h"
#include "worker/models/label_readout.h"
#include "worker/models/tag_readout.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

const SequenceLabelerOptions& Checked(const SequenceLabelerOptions& o) {
  const auto check = [](bool holds, const std::string& why) {
    if (!holds) throw std::invalid_argument(why);
  };
  check(o.vocabulary_size > 0, "a labeler needs a vocabulary");
  check(o.embedding_size >= 0, "embedding_size must not be negative");
  check(o.stack.layers > 0 && o.stack.hidden_size > 0, "a labeler needs layers of hidden units");
  check(o.stack.dropout >= 0.0 && o.stack.dropout < 1.0, "dropout must be in [0, 1)");
  check(o.embedding_dropout >= 0.0 && o.embedding_dropout < 1.0,
        "embedding_dropout must be in [0, 1)");
  check(o.embedding_size > 0 || o.embedding_dropout == 0.0,
        "embedding_dropout needs vectors of tokens");
  check(o.labels >= 0 && o.tags >= 0 && o.labels + o.tags > 0, "a labeler needs labels or tags");
  check(!o.crf || o.tags > 0, "a CRF needs tags");
  check(o.label_smoothing >= 0.0 && o.label_smoothing < 1.0, "label_smoothing must be in [0, 1)");
  const int64_t weights = static_cast<int64_t>(o.label_weights.size());
  check(weights == 0 || weights == o.labels,
        fmt::format("{} weights for {} labels", weights, o.labels));
  check(std::ranges::all_of(o.label_weights, [](float w) { return w >= 0.0f; }),
        "weights of labels must not be negative");
  return o;
}

StackOptions StackOf(const SequenceLabelerOptions& options, const TokenInput& input) {
  StackOptions stack = options.stack;
  stack.input_size = input.size();
  if (stack.input_dropout == 0.0) stack.input_dropout = stack.dropout;
  if (options.embedding_size == 0) stack.input_dropout = 0.0;
  return stack;
}

LabelSum operator+(const LabelSum& a, const LabelSum& b) {
  return {a.loss + b.loss, a.weight + b.weight};
}

}  // namespace

struct SequenceLabeler::Parts {
  Parts(const SequenceLabelerOptions& options_in, Parameters& parameters)
      : options(options_in),
        input(options.vocabulary_size, options.embedding_size, NormalDraw(), parameters,
              options.embedding_dropout),
        stack(StackOf(options, input), "rnn.", parameters) {
    if (options.labels > 0) label.emplace(options, parameters);
    if (options.tags > 0) tag.emplace(options, parameters);
  }

  bool ReadsOutputs() const { return tag || label->ReadsOutputs(); }
  // Through a table every row of a token has the same vector, so there is no dropout on it.
  bool UsesTable(int64_t rows, bool drops) const {
    const bool of_vectors = stack.options().input_dropout > 0.0 || options.embedding_dropout > 0.0;
    return input.UsesTable(rows) && !(drops && of_vectors);
  }

  // Leaves the logits of the readouts.
  void Forward(const LabelBatch& batch, const DropoutSite* site);

  const SequenceLabelerOptions& options;
  // In this order they add their parameters.
  TokenInput input;
  RecurrentStack stack;
  std::optional<LabelReadout> label;
  std::optional<TagReadout> tag;

  // Of the last Forward.
  LabelBatch batch;
  RecurrentState state;  // [L D, B, H], later its gradient
};

void SequenceLabeler::Parts::Forward(const LabelBatch& batch_in, const DropoutSite* site) {
  batch = batch_in;
  const int64_t rows = batch.steps.rows();
  const StackInput x =
      input.Forward(rows, batch.tokens, UsesTable(rows, /*drops=*/site != nullptr), site);
  state = stack.ZeroState(batch.steps.items());
  // The stack's own layers are 0 to L, its input the last of them; what tags are read from is
  // dropped on as its outputs would be.
  DropoutSite of_stack, of_tags, of_label;
  if (site) {
    of_stack = of_tags = of_label = *site;
    of_stack.layer = 0;
    of_tags.layer = static_cast<uint32_t>(options.stack.layers - 1);
    of_label.layer = static_cast<uint32_t>(options.stack.layers + 1);
  }
  const float* outputs = stack.Forward(
      batch.steps, x, state, site ? &of_stack : nullptr,
      ReadsOutputs() ? RecurrentStack::Read::kPlainOutputs : RecurrentStack::Read::kStateOnly);
  if (label) label->Forward(batch.steps, outputs, state, site ? &of_label : nullptr);
  if (tag) tag->Forward(batch.steps, outputs, site ? &of_tags : nullptr);
}

SequenceLabeler::SequenceLabeler(const SequenceLabelerOptions& options, Pass pass)
    : options_(Checked(options)), parts_(std::make_unique<Parts>(options_, parameters_)) {
  Allocate(pass);
}

SequenceLabeler::~SequenceLabeler() = default;

int SequenceLabeler::embedding_weight() const { return parts_->input.weight(); }

LabelSum SequenceLabeler::Forward(const LabelBatch& batch, const DropoutSite& site) {
  const VaryingRows varying;
  Parts& p = *parts_;
  if (p.label && !batch.labels) throw std::invalid_argument("a loss needs labels");
  if (p.tag && !batch.tags) throw std::invalid_argument("a loss needs tags");
  p.Forward(batch, &site);
  LabelSum sum;
  if (p.label) sum = sum + p.label->LossAndGradient(batch.labels);
  if (p.tag) sum = sum + p.tag->LossAndGradient(batch.tags);
  return sum;
}

void SequenceLabeler::Backward(const GradientReady& ready) {
  const VaryingRows varying;
  Parts& p = *parts_;
  float* d_outputs = p.ReadsOutputs() ? p.stack.d_output() : nullptr;
  if (p.tag) p.tag->Backward(d_outputs);
  const bool from_state = p.label && !p.label->ReadsOutputs();
  if (from_state) p.state = p.stack.ZeroState(p.batch.steps.items());
  if (p.label) p.label->Backward(d_outputs, p.tag.has_value(), p.state);
  float* d_x = p.stack.Backward({.final_state = from_state ? &p.state : nullptr}, true, ready);
  p.input.Backward(p.batch.steps.rows(), p.batch.tokens, d_x);
}

LabelSum SequenceLabeler::Evaluate(const LabelBatch& batch, LabelOutput* output) {
  const VaryingRows varying;
  Parts& p = *parts_;
  p.Forward(batch, nullptr);
  if (output) {
    *output = {};
    if (p.label) p.label->Probabilities(output->label_probabilities);
    if (p.tag) p.tag->Predict(output->tags, output->tag_probabilities);
  }
  LabelSum sum;
  if (p.label && batch.labels) sum = sum + p.label->Loss(batch.labels);
  if (p.tag && batch.tags) sum = sum + p.tag->Loss(batch.tags);
  return sum;
}

int64_t SequenceLabeler::WorkingBytes(int64_t time_steps, int64_t lanes) const {
  const Parts& p = *parts_;
  const StackOptions& stack = p.stack.options();
  const int64_t rows = time_steps * lanes;
  const bool table = p.UsesTable(rows, true);
  const int gradients = p.ReadsOutputs() || stack.layers > 1 ? 2 : 1;
  const int64_t of_row =
      p.stack.FloatsOfRow(gradients, true) + (table ? 0 : p.input.FloatsOfRow()) +
      (p.label ? p.label->FloatsOfRow() : 0) + (p.tag ? p.tag->FloatsOfRow() : 0);
  const int64_t states = stack.hidden_size + (FactsOf(stack.cell).has_c ? stack.units() : 0);
  const int64_t of_item =
      (p.label ? p.label->FloatsOfItem() : 0) + states * stack.layers * stack.directions();
  const int64_t width = FactsOf(stack.cell).gates * stack.units() * stack.directions();
  const int64_t floats = rows * of_row + lanes * of_item + p.stack.FloatsOfWeights() +
                         (p.tag ? p.tag->FloatsOf(lanes) : 0) +
                         (table ? options_.vocabulary_size * width : 0);
  return floats * static_cast<int64_t>(sizeof(float));
}

}  // namespace lockstep::worker
