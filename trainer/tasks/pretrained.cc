#include "trainer/tasks/pretrained.h"

#include <algorithm>

#include <fmt/format.h>

#include "io/text/word_vectors.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {

std::string FillEmbedding(const std::string& path, const io::Vocabulary& vocabulary, int index,
                          worker::Parameters& parameters) {
  const io::WordVectors vectors = io::ReadWordVectors(path, vocabulary);
  const int64_t size = parameters.list()[index].shape[1];
  if (static_cast<int64_t>(vectors.size) != size) {
    throw UsageError(
        fmt::format("{}: has vectors of {} numbers, model.embedding_size is {}. Set it to {}.",
                    path, vectors.size, size, vectors.size));
  }
  if (vectors.found_count == 0) {
    throw UsageError(
        fmt::format("{}: has none of the {} tokens of the vocabulary. Are its words "
                    "written as the tokens are?",
                    path, vocabulary.size()));
  }
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    if (!vectors.found[id]) continue;
    const auto row = vectors.rows.begin() + static_cast<int64_t>(id) * size;
    std::copy_n(row, size, parameters.value(index) + static_cast<int64_t>(id) * size);
  }
  return fmt::format("{}: {} of {} tokens begin with its vectors", path, vectors.found_count,
                     vocabulary.size());
}

}  // namespace lockstep::trainer
