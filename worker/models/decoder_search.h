#ifndef LOCKSTEP_WORKER_MODELS_DECODER_SEARCH_H_
#define LOCKSTEP_WORKER_MODELS_DECODER_SEARCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "worker/layers/recurrent_state.h"
#include "worker/models/beam_search.h"
#include "worker/models/decoder.h"

namespace lockstep::worker {

/// A decoder as a search asks it, from the states `initial` [L, B, H] of B sources on. The decoder
/// is between BeginSearch and its next pass; it must outlive this.
class DecoderSearch final : public SearchedModel {
 public:
  DecoderSearch(Decoder& decoder, const RecurrentState& initial);

  Answer Next(std::span<const int64_t> from, std::span<const int32_t> tokens) override;

 private:
  Decoder& decoder_;
  // Of the rows of the last call; before the first one, of the sources.
  RecurrentState state_;
  std::vector<float> fed_;          // [rows, H] with input feeding: what the projection read
  std::vector<int64_t> source_of_;  // [rows]
  std::vector<int32_t> attended_;   // [rows]
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_DECODER_SEARCH_H_
