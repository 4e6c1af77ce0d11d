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
  return [this, part = part_, units = builder_.tokens() - units_before_,
          codes = std::exchange(codes_, {})] { take_(*part, units, codes); };
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

RecordEncoder::RecordEncoder(const Vocabulary& vocabulary,
                             std::span<const std::vector<std::string_view>> coded,
                             std::span<const uint64_t> ends_words)
    : ends_words_(ends_words), ids_(vocabulary, {}) {
  for (const std::vector<std::string_view>& tokens : coded) {
    std::vector<Ids>& ids = ids_of_code_.emplace_back();
    for (const std::string_view token : tokens) ids.push_back(Learn(token));
  }
}

RecordEncoder::Ids RecordEncoder::Learn(std::string_view token) {
  const uint64_t unknown_before = ids_.unknown_tokens();
  ids_.TakeWords({&token, 1});
  const std::vector<uint32_t> ids = ids_.Take();
  known_.insert(known_.end(), ids.begin(), ids.end());
  return {static_cast<uint32_t>(known_.size() - ids.size()), static_cast<uint32_t>(ids.size()),
          static_cast<uint32_t>(ids_.unknown_tokens() - unknown_before)};
}

PartIds RecordEncoder::Encode(const TokenRecord::Part& part, std::span<const TokenCode> codes) {
  const std::vector<Ids>& ids_of_code = ids_of_code_[part.counter];
  const size_t known = known_.size();
  PartIds now;
  now.units = part.tokens;
  now.ids.reserve(part.tokens);
  const auto put = [&](const Ids& token) {
    if (next_end_ < ends_words_.size()) NoteEnds(&now);
    ++words_;
    now.unknown += token.unknown;
    const uint32_t* from = known_.data() + token.begin;
    if (token.count == 1) {
      now.ids.push_back(*from);
    } else {
      now.ids.insert(now.ids.end(), from, from + token.count);
    }
  };
  ForEachToken(
      codes, [&](TokenCode code) { put(ids_of_code[code]); },
      [&](std::string_view token) {
        put(Learn(token));
        known_.resize(known);  // its ids are needed no more
      });
  return now;
}

void RecordEncoder::NoteEnds(PartIds* now) {
  while (next_end_ < ends_words_.size() && words_ == ends_words_[next_end_]) {
    now->ends.push_back({next_end_++, now->ids.size()});
  }
}

}  // namespace lockstep::io
