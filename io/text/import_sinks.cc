#include "io/text/import_sinks.h"

#include <algorithm>
#include <utility>

namespace lockstep::io {

void UnitTally::Start(const TextPart& part) {
  part_ = &part;
  units_ = 0;
}

void UnitTally::TakeWords(std::span<const std::string_view> words) {
  units_ += words.size();
  if (!line_ends_) units_ -= static_cast<uint64_t>(std::ranges::count(words, "\n"));
}

std::function<void()> UnitTally::Finish() {
  return [this, part = part_, units = units_] { take_(*part, units); };
}

void UnitCounter::Start(const TextPart& part) {
  part_ = &part;
  units_before_ = builder_.tokens();
  builder_.CountNext(training_(part));
}

std::function<void()> UnitCounter::Finish() {
  return [this, part = part_, units = builder_.tokens() - units_before_] { take_(*part, units); };
}

PartEncoder::PartEncoder(const Vocabulary& vocabulary, std::span<const uint64_t> ends_units,
                         UnitsBefore units_before, Missing missing, Take take)
    : ends_units_(ends_units),
      units_before_(std::move(units_before)),
      take_(std::move(take)),
      ids_(vocabulary, [this, missing = std::move(missing)](const std::string& token, uint64_t) {
        missing(*part_, token);
      }) {}

void PartEncoder::Start(const TextPart& part) {
  part_ = &part;
  now_ = {};
  units_start_ = ids_.units();
  tokens_start_ = ids_.tokens();
  unknown_start_ = ids_.unknown_tokens();
  if (ends_units_.empty()) return;
  first_unit_ = units_before_(part);
  next_end_ =
      static_cast<size_t>(std::ranges::lower_bound(ends_units_, first_unit_) - ends_units_.begin());
}

void PartEncoder::TakeWords(std::span<const std::string_view> words) {
  // One by one as far as a split may end.
  for (; next_end_ < ends_units_.size() && !words.empty(); words = words.subspan(1)) {
    while (next_end_ < ends_units_.size() &&
           first_unit_ + ids_.units() - units_start_ == ends_units_[next_end_]) {
      now_.ends.push_back({next_end_++, ids_.tokens() - tokens_start_});
    }
    ids_.TakeWords(words.first(1));
  }
  ids_.TakeWords(words);
}

std::function<void()> PartEncoder::Finish() {
  now_.ids = ids_.Take();
  now_.units = ids_.units() - units_start_;
  now_.unknown = ids_.unknown_tokens() - unknown_start_;
  return [this, part = part_, now = std::move(now_)] { take_(*part, now); };
}

}  // namespace lockstep::io
