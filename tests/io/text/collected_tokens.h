#ifndef LOCKSTEP_TESTS_IO_TEXT_COLLECTED_TOKENS_H_
#define LOCKSTEP_TESTS_IO_TEXT_COLLECTED_TOKENS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/text_segmenter.h"

namespace lockstep::io {

/// Keeps what a segmenter hands over.
struct CollectedTokens : TokenSink {
  void TakeUnits(std::span<const uint32_t> block) override {
    units.insert(units.end(), block.begin(), block.end());
  }
  void TakeWords(std::span<const std::string_view> taken) override {
    words.insert(words.end(), taken.begin(), taken.end());
  }

  std::vector<uint32_t> units;
  std::vector<std::string> words;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_TEXT_COLLECTED_TOKENS_H_
