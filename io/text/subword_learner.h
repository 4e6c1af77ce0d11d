#ifndef LOCKSTEP_IO_TEXT_SUBWORD_LEARNER_H_
#define LOCKSTEP_IO_TEXT_SUBWORD_LEARNER_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "io/text/subwords.h"

namespace lockstep::io {

/// The characters of a word, UTF-8.
std::vector<std::string_view> CodePoints(std::string_view utf8);

/// What Subwords::Learn does.
std::vector<Subwords::Merge> LearnMerges(std::span<const CountedWord> words, uint64_t most_merges,
                                         uint64_t least_count);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_SUBWORD_LEARNER_H_
