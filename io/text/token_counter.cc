#include "io/text/token_counter.h"

#include <algorithm>
#include <utility>

namespace lockstep::io {
namespace {

constexpr int kCodeBits = 16;
constexpr uint64_t kCodeMask = (uint64_t{1} << kCodeBits) - 1;

void Sort(std::vector<TokenCount>* counts) {
  std::sort(counts->begin(), counts->end(), [](const TokenCount& left, const TokenCount& right) {
    return left.token < right.token;
  });
}

}  // namespace

TokenCounter::TokenCounter(std::filesystem::path folder, size_t memory_bytes, size_t longest_bytes)
    : table_bytes_(memory_bytes / 4 * 3),
      longest_bytes_(longest_bytes),
      runs_(std::move(folder), memory_bytes / 4) {
  coded_.Reserve(table_bytes_ / 2);
  rest_.Reserve(table_bytes_);
}

void TokenCounter::Add(std::string_view token, uint64_t count) {
  if (token.size() > longest_bytes_) return;
  if (uint64_t* found = coded_.Find(token)) {
    *found += count << kCodeBits;
  } else {
    Insert(token, count);
  }
}

void TokenCounter::Add(std::span<const std::string_view> tokens, size_t counted,
                       std::vector<TokenCode>* codes) {
  coded_.FindEach(tokens, [&](size_t i, uint64_t* found) {
    const uint64_t count = i < counted;
    TokenCode code = kTextFollows;
    if (found) {
      *found += count << kCodeBits;
      code = static_cast<TokenCode>(*found & kCodeMask);
    } else if (tokens[i].size() <= longest_bytes_) {
      code = Insert(tokens[i], count);
    }
    if (!codes) return;
    code != kTextFollows ? codes->push_back(code) : AppendText(tokens[i], codes);
  });
}

void TokenCounter::Add(TokenCounter* other) {
  const auto add = [this](const TokenCount& one) { Add(one.token, one.count); };
  if (!other->runs_.empty()) return other->Drain(add);
  // As Drain, without the order, which takes longer than the rest.
  other->coded_.ForEach([&](std::string_view token, uint64_t& number) {
    if (number >> kCodeBits != 0) add({token, number >> kCodeBits});
    number &= kCodeMask;
  });
  other->rest_.ForEach([&](std::string_view token, uint64_t count) { add({token, count}); });
  other->rest_ = {};
}

void TokenCounter::Drain(const std::function<void(TokenCount)>& visit) {
  std::vector<TokenCount> counts = TakeCoded();
  if (runs_.empty()) {
    const std::vector<TokenCount> rest = CountsOfRest();
    counts.insert(counts.end(), rest.begin(), rest.end());
    Sort(&counts);
    std::for_each(counts.begin(), counts.end(), visit);
  } else {
    EmptyRest();
    Sort(&counts);
    runs_.Add(counts);
    runs_.Merge(visit);
    runs_.Clear();
  }
  rest_ = {};  // its memory, too: the codes are still needed
}

std::vector<std::string_view> TokenCounter::Coded() {
  std::vector<std::string_view> tokens;
  tokens.reserve(coded_.size());
  coded_.ForEach([&](std::string_view token, uint64_t) { tokens.push_back(token); });
  return tokens;
}

TokenCode TokenCounter::Insert(std::string_view token, uint64_t count) {
  const bool has_room = 2 * BytesWith(coded_, token.size()) <= table_bytes_ &&
                        coded_.size() < kMostCodes && rest_.size() == 0;
  if (has_room) {
    const auto code = static_cast<TokenCode>(coded_.size());
    coded_.Add(token, count << kCodeBits | code);
    return code;
  }
  if (count != 0) AddToRest(token, count);
  return kTextFollows;
}

void TokenCounter::AddToRest(std::string_view token, uint64_t count) {
  if (uint64_t* found = rest_.Find(token)) {
    *found += count;
    return;
  }
  if (rest_.size() > 0 && BytesWith(rest_, token.size()) > table_bytes_) EmptyRest();
  rest_.Add(token, count);
}

size_t TokenCounter::BytesWith(const TextMap& added, size_t text_bytes) const {
  const TextMap& other = &added == &coded_ ? rest_ : coded_;
  // The list that is sorted in the end counts, too.
  const size_t list = (added.size() + other.size() + 1) * sizeof(TokenCount);
  return added.BytesWith(text_bytes) + other.bytes() + list;
}

std::vector<TokenCount> TokenCounter::TakeCoded() {
  std::vector<TokenCount> counts;
  counts.reserve(coded_.size());
  coded_.ForEach([&](std::string_view token, uint64_t& number) {
    if (number >> kCodeBits != 0) counts.push_back({token, number >> kCodeBits});
    number &= kCodeMask;
  });
  return counts;
}

std::vector<TokenCount> TokenCounter::CountsOfRest() {
  std::vector<TokenCount> counts;
  counts.reserve(rest_.size());
  rest_.ForEach([&](std::string_view token, uint64_t count) { counts.push_back({token, count}); });
  return counts;
}

void TokenCounter::EmptyRest() {
  std::vector<TokenCount> counts = CountsOfRest();
  Sort(&counts);
  runs_.Add(counts);
  rest_.Clear();
}

}  // namespace lockstep::io
