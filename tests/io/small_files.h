#ifndef LOCKSTEP_TESTS_IO_SMALL_FILES_H_
#define LOCKSTEP_TESTS_IO_SMALL_FILES_H_

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/dataset.h"
#include "tests/io/whole_checkpoint.h"

namespace lockstep::io {

/// Byte tokens 0..size-1: made of single bytes up to 256, of words beyond.
inline Vocabulary MakeVocabulary(size_t size) {
  std::vector<std::string> tokens;
  for (size_t id = 0; id < size; ++id) {
    tokens.push_back(size <= 256 ? std::string(1, static_cast<char>(id))
                                 : "word" + std::to_string(id));
  }
  return Vocabulary(size <= 256 ? TokenKind::kByte : TokenKind::kWord, std::move(tokens),
                    std::nullopt);
}

/// A stream without short periods.
inline std::vector<uint32_t> MakeTokens(uint64_t count, uint64_t vocabulary_size) {
  std::vector<uint32_t> tokens;
  uint64_t state = 1;
  for (uint64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(static_cast<uint32_t>((state >> 33) % vocabulary_size));
  }
  return tokens;
}

inline std::string WriteDataset(const std::filesystem::path& path, uint64_t count,
                                uint64_t vocabulary_size, std::vector<double> shares = {90, 5, 5}) {
  DatasetWriter writer(path, MakeVocabulary(vocabulary_size));
  writer.Append(MakeTokens(count, vocabulary_size));
  return writer.Publish(shares, {{"first.txt", 10, count / 2}, {"b/second.txt", 20, count / 2}});
}

/// A checkpoint with all that one can hold, `scale` times 1,000 values or so.
struct SmallCheckpoint {
  explicit SmallCheckpoint(int64_t step, size_t scale = 1) {
    header.step = step;
    header.configuration = "model { cell: LSTM }\n# " + std::string(3000, 'x') + "\n";
    header.dataset_fingerprint = "0123456789abcdef0123456789abcdef";
    header.vocabulary =
        Vocabulary(TokenKind::kChar, {"<unk>", "a", "\xe5\xad\x97"}, 0, "nfc", true);
    header.counters = {{"epoch", 3}, {"step_in_epoch", -7}, {"finished", 0}};
    for (int i = 0; i < 12; ++i) header.counters["counter" + std::to_string(i)] = i;
    header.measures = {{"best_validation_loss", 0.1}, {"nan", NAN}, {"infinite", -INFINITY}};
    for (size_t layer = 0; layer < 4; ++layer) {
      for (const char* group :
           {"parameters/rnn.", "optimizer/first/rnn.", "optimizer/second/rnn."}) {
        Add(group + std::string("weight_hh_l") + std::to_string(layer), {8 * scale, 10});
      }
    }
    Add("state/h", {2, 3, 4});
    Add("scalar", {});
    Add("empty", {0, 5});
  }

  void Add(const std::string& name, std::vector<uint64_t> shape) {
    uint64_t size = 1;
    for (const uint64_t length : shape) size *= length;
    tensors.push_back({name, std::move(shape), {}});
    for (uint64_t i = 0; i < size; ++i) {
      tensors.back().values.push_back(std::sin(static_cast<float>(i + 7 * tensors.size())) +
                                      static_cast<float>(header.step));
    }
  }

  std::vector<TensorView> Views() const {
    std::vector<TensorView> views;
    for (const Tensor& tensor : tensors)
      views.push_back({tensor.name, tensor.shape, tensor.values});
    return views;
  }

  void Write(const std::filesystem::path& path) const { WriteCheckpoint(path, header, Views()); }

  CheckpointHeader header;
  std::vector<Tensor> tensors;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_SMALL_FILES_H_
