#include "worker/models/decoder_search.h"

#include <numeric>

namespace lockstep::worker {
DecoderSearch::DecoderSearch(Decoder& decoder, const RecurrentState& initial)
    : decoder_(decoder), state_(initial), source_of_(initial.lanes) {
  std::iota(source_of_.begin(), source_of_.end(), 0);
  if (decoder.feeds_input()) fed_.assign(initial.lanes * initial.units, 0.0f);
}

SearchedModel::Answer DecoderSearch::Next(std::span<const int64_t> from,
                                          std::span<const int32_t> tokens) {
  const int64_t rows = std::ssize(from);
  if (!fed_.empty()) fed_ = SelectRows(fed_, 1, state_.lanes, from);
  state_ = SelectLanes(state_, from);
  std::vector<int64_t> source_of(rows);
  for (int64_t i = 0; i < rows; ++i) source_of[i] = source_of_[from[i]];
  source_of_ = std::move(source_of);
  const float* readouts =
      decoder_.SearchStep(rows, source_of_.data(), tokens.data(), fed_.data(), state_);
  if (!fed_.empty()) fed_.assign(readouts, readouts + fed_.size());
  Answer answer;
  if (decoder_.is_attentive()) {
    attended_.resize(rows);
    for (int64_t i = 0; i < rows; ++i) {
      attended_[i] = static_cast<int32_t>(decoder_.MostAttended(i));
    }
    answer.attended = attended_.data();
  }
  answer.logits = decoder_.output().PackedLogits(rows, readouts);
  return answer;
}

}  // namespace lockstep::worker
