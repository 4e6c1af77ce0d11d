#include "worker/models/decoder_search.h"

#include <algorithm>
#include <numeric>

namespace lockstep::worker {
namespace {

// [blocks, from.size(), width] of [blocks, rows, width].
std::vector<float> Gather(const std::vector<float>& values, int64_t blocks, int64_t rows,
                          std::span<const int64_t> from) {
  const int64_t width = std::ssize(values) / (blocks * rows), count = std::ssize(from);
  std::vector<float> gathered(blocks * count * width);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(values.data() + (block * rows + from[i]) * width, width,
                  gathered.data() + (block * count + i) * width);
    }
  }
  return gathered;
}

}  // namespace

DecoderSearch::DecoderSearch(Decoder& decoder, const RecurrentState& initial)
    : decoder_(decoder), state_(initial), source_of_(initial.lanes) {
  std::iota(source_of_.begin(), source_of_.end(), 0);
  if (decoder.feeds_input()) fed_.assign(initial.lanes * initial.units, 0.0f);
}

SearchedModel::Answer DecoderSearch::Next(std::span<const int64_t> from,
                                          std::span<const int32_t> tokens) {
  const int64_t rows = std::ssize(from);
  for (const auto& part : state_.parts()) {
    part.values = Gather(part.values, state_.layers, state_.lanes, from);
  }
  if (!fed_.empty()) fed_ = Gather(fed_, 1, state_.lanes, from);
  state_.lanes = rows;
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
