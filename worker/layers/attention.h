#ifndef LOCKSTEP_WORKER_LAYERS_ATTENTION_H_
#define LOCKSTEP_WORKER_LAYERS_ATTENTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/packed_steps.h"
#include "worker/parameters.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

enum class AttentionScore {
  kAdditive,  ///< v^T tanh(W s + U h): Bahdanau et al. 2015, appendix A.1.2
  kGeneral,   ///< s^T W h: Luong et al. 2015, eq. 8
};

struct AttentionOptions {
  AttentionScore score = AttentionScore::kAdditive;
  int64_t query_size = 0;  ///< Q, of s
  int64_t value_size = 0;  ///< C, of h
  int64_t units = 0;       ///< A; kAdditive only

  int64_t key_size() const { return score == AttentionScore::kAdditive ? units : query_size; }
};

/// Attention of a target's rows (s) over the rows of its source (h): a = softmax of the scores over
/// the source's rows, context = sum of a h. What can be one product over all rows of the sources or
/// of the targets is. Parameters `name` + ".key.weight" ([A, C], or [Q, C]) and, additive,
/// ".query.weight" [A, Q] and ".vector" [A], all drawn as torch.nn.Linear's of their inputs.
///
/// R_s rows of sources and R_t of targets as in PackedSteps. A pass may go time step by time step,
/// each behind the step before, or over many at once. Results do not depend on the number of
/// threads.
class Attention {
 public:
  /// Adds its parameters. `parameters` must outlive this.
  Attention(const AttentionOptions& options, const std::string& name, Parameters& parameters);

  /// `values` [R_s, C] are the sources' h; they are copied.
  void SetSource(const PackedSteps& source, const float* values);

  /// A pass over targets; `source_of` [B] says for each of its items which of the sources it
  /// attends to. `queries` [R_t, Q] and `contexts` [R_t, C] are read and written as the pass comes
  /// by; both, and source_of, must live until its end, queries until FinishBackward. May be called
  /// again for the same sources.
  void Begin(const PackedSteps& target, const int64_t* source_of, const float* queries,
             float* contexts);

  /// Writes the contexts of the time steps [first, last).
  void Forward(int64_t first, int64_t last);

  /// The row, within its source, that had most attention of target row `row`. After its Forward.
  int64_t MostAttended(int64_t item, int64_t row) const;

  /// Before the way back. `d_contexts` [R_t, C] is read and `d_queries` [R_t, Q] written by
  /// Backward; d_contexts must live until FinishBackward. Items must have different sources.
  void BeginBackward(const float* d_contexts, float* d_queries);
  /// Of the time steps [first, last), the last steps first.
  void Backward(int64_t first, int64_t last);
  /// Adds to the gradients of the parameters and writes dL/d(values) [R_s, C].
  void FinishBackward(float* d_values);

  /// Floats that a training pass keeps for each row of sources and of targets, whose sources are
  /// not longer than `source_steps`.
  int64_t FloatsOfSourceRow() const;
  int64_t FloatsOfTargetRow(int64_t source_steps) const;

 private:
  bool is_additive() const { return options_.score == AttentionScore::kAdditive; }
  int64_t SourceLength(int64_t item) const { return source_.length(source_of_[item]); }
  /// Calls visit(item, row of targets, first row of its source in item order) for the rows of the
  /// time steps [first, last), an item after another; items are shared by threads.
  template <class Visit>
  void ForEachRow(int64_t first, int64_t last, const Visit& visit) const;
  float* WeightsOf(Buffer& of, int64_t row) { return of.data() + row * source_.time_steps(); }
  void SumOverTargets();

  const AttentionOptions options_;
  Parameters& parameters_;
  const int key_weight_;
  int query_weight_ = -1, vector_ = -1;  // -1: none

  PackedSteps source_, target_;
  // Rows of sources stand here an item behind another, as attention comes by: those of item i begin
  // at first_[i].
  std::vector<int64_t> first_;
  Buffer values_, d_values_;                         // [R_s, C]
  Buffer keys_, d_keys_;                             // [R_s, A or Q]; additive: their exponentials
  PackedMatrix query_weights_, query_weights_back_;  // W^T and W

  // Of the pass.
  const int64_t* source_of_ = nullptr;
  const float* queries_ = nullptr;
  float* contexts_ = nullptr;
  Buffer projected_;           // [R_t, A] additive: exponentials of W s
  Buffer weights_, d_scores_;  // [R_t, T_s] a and gradients of the scores
  const float* d_contexts_ = nullptr;
  float* d_queries_ = nullptr;
  Buffer d_projected_;              // [R_t, A]
  Buffer d_vectors_;                // [B, A] the parts of v's gradient
  std::vector<int64_t> row_lists_;  // [R_t] the rows of item 0, of item 1, ...
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_ATTENTION_H_
