#include "io/text/token_counter.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lockstep::io {

TokenCounter::TokenCounter(std::filesystem::path folder, size_t memory_bytes)
    : table_bytes_(memory_bytes / 4 * 3), runs_(std::move(folder), memory_bytes / 4) {
  table_.Reserve(table_bytes_);
}

void TokenCounter::Add(std::string_view token, uint64_t count) {
  if (uint64_t* found = table_.Find(token)) {
    *found += count;
  } else {
    Insert(token, count);
  }
}

void TokenCounter::Add(std::span<const std::string_view> tokens) {
  table_.FindEach(tokens, [&](size_t i, uint64_t* count) {
    if (count) {
      ++*count;
    } else {
      Insert(tokens[i], 1);
    }
  });
}

void TokenCounter::Add(TokenCounter* other) {
  const auto add = [this](const TokenCount& one) { Add(one.token, one.count); };
  if (!other->runs_.empty()) return other->Drain(add);
  // As Drain, without the order, which takes longer than the rest.
  other->table_.ForEach([&](std::string_view token, uint64_t count) { add({token, count}); });
  other->table_.Clear();
}

void TokenCounter::Drain(const std::function<void(TokenCount)>& visit) {
  if (runs_.empty()) {
    EmptyTable([&](std::span<const TokenCount> counts) {
      std::for_each(counts.begin(), counts.end(), visit);
    });
    return;
  }
  EmptyTable([this](std::span<const TokenCount> counts) { runs_.Add(counts); });
  runs_.Merge(visit);
  runs_.Clear();
}

void TokenCounter::Insert(std::string_view token, uint64_t count) {
  // The list that is sorted in the end counts, too.
  const size_t bytes = table_.BytesWith(token.size()) + (table_.size() + 1) * sizeof(TokenCount);
  if (bytes > table_bytes_ && table_.size() > 0) {
    EmptyTable([this](std::span<const TokenCount> counts) { runs_.Add(counts); });
  }
  table_.Add(token, count);
}

void TokenCounter::EmptyTable(const std::function<void(std::span<const TokenCount>)>& use) {
  std::vector<TokenCount> counts;
  counts.reserve(table_.size());
  table_.ForEach([&](std::string_view token, uint64_t count) { counts.push_back({token, count}); });
  std::sort(counts.begin(), counts.end(), [](const TokenCount& left, const TokenCount& right) {
    return left.token < right.token;
  });
  use(counts);
  table_.Clear();
}

}  // namespace lockstep::io
