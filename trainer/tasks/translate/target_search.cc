#include "trainer/tasks/translate/target_search.h"

#include <algorithm>
#include <utility>

namespace lockstep::trainer {
namespace {

// Scores of all tokens for all beginnings that are followed are about 32 MB.
int64_t SourcesAtATime(const worker::EncoderDecoder& model, int beam) {
  constexpr int64_t kMostScores = int64_t{1} << 23, kMostSources = 256;
  const int64_t scores = (model.options().target_vocabulary_size + 1) * beam;
  return std::clamp<int64_t>(kMostScores / scores, 1, kMostSources);
}

// The longest first, so that those of a batch are of about one length.
std::vector<int64_t> OrderOf(const TargetSources& sources) {
  std::vector<uint32_t> lengths(sources.size(), 1);
  for (size_t i = 0; i < sources.texts.size(); ++i) {
    lengths[i] = static_cast<uint32_t>(sources.texts[i].size());
  }
  return LongestFirst(lengths);
}

using Found = std::vector<std::vector<worker::Hypothesis>>;

// Of the sources with these indices, from the longest to the shortest.
Found FindSome(worker::EncoderDecoder& model, const TargetSources& sources,
               std::span<const int64_t> indices, const worker::SearchOptions& options) {
  Sequences texts;
  std::vector<float> vectors;
  std::vector<int64_t> numbers;
  for (const int64_t i : indices) {
    if (!sources.texts.empty()) texts.push_back(sources.texts[i]);
    if (!sources.vectors.empty()) {
      vectors.insert(vectors.end(), sources.vectors[i].begin(), sources.vectors[i].end());
    }
    if (!sources.numbers.empty()) numbers.push_back(sources.numbers[i]);
  }
  worker::PairBatch batch;
  batch.source =
      texts.empty() ? worker::PackedSteps::Uniform(1, std::ssize(indices)) : StepsOf(texts);
  const std::vector<int32_t> tokens =
      texts.empty() ? std::vector<int32_t>() : Pack(batch.source, texts);
  batch.source_tokens = texts.empty() ? nullptr : tokens.data();
  batch.source_vectors = vectors.empty() ? nullptr : vectors.data();
  return model.Translate(batch, options, numbers.empty() ? nullptr : numbers.data());
}

}  // namespace

Found FindTargets(worker::EncoderDecoder& model, const TargetSources& sources,
                  const worker::SearchOptions& options) {
  const std::vector<int64_t> order = OrderOf(sources);
  const auto most = static_cast<size_t>(SourcesAtATime(model, options.beam));
  Found found(sources.size());
  for (size_t begin = 0; begin < order.size(); begin += most) {
    const auto some = std::span(order).subspan(begin, std::min(most, order.size() - begin));
    Found of_some = FindSome(model, sources, some, options);
    for (size_t i = 0; i < some.size(); ++i) found[some[i]] = std::move(of_some[i]);
  }
  return found;
}

}  // namespace lockstep::trainer
