#include "io/text/token_counter.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace lockstep::io {
namespace {

// What an entry takes beside its bytes, generously: a node (link, hash, key, count), its share of
// the bucket array with what growing it leaves behind in the arena, and its place in the list that
// is sorted in the end.
constexpr size_t kEntryBytes = 48 + 32 + sizeof(TokenCount);

}  // namespace

TokenCounter::TokenCounter(std::filesystem::path folder, size_t memory_bytes)
    : table_bytes_(memory_bytes / 4 * 3),
      arena_memory_(std::make_unique_for_overwrite<std::byte[]>(table_bytes_)),
      runs_(std::move(folder), memory_bytes / 4) {
  StartTable();
}

void TokenCounter::Add(std::string_view token) {
  const auto found = table_->find(token);
  if (found != table_->end()) {
    ++found->second;
  } else {
    Insert(token);
  }
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

void TokenCounter::Insert(std::string_view token) {
  const size_t bytes = kEntryBytes + token.size();
  if (used_bytes_ + bytes > table_bytes_) {
    EmptyTable([this](std::span<const TokenCount> counts) { runs_.Add(counts); });
  }
  used_bytes_ += bytes;
  char* copy = static_cast<char*>(arena_->allocate(std::max<size_t>(1, token.size()), 1));
  std::memcpy(copy, token.data(), token.size());
  table_->emplace(std::string_view(copy, token.size()), 1);
}

void TokenCounter::EmptyTable(const std::function<void(std::span<const TokenCount>)>& use) {
  {
    std::vector<TokenCount> counts;
    counts.reserve(table_->size());
    for (const auto& [token, count] : *table_) counts.push_back({token, count});
    std::sort(counts.begin(), counts.end(), [](const TokenCount& left, const TokenCount& right) {
      return left.token < right.token;
    });
    use(counts);
  }
  StartTable();
}

void TokenCounter::StartTable() {
  table_.reset();
  arena_ = std::make_unique<std::pmr::monotonic_buffer_resource>(arena_memory_.get(), table_bytes_);
  table_ = std::make_unique<Table>(arena_.get());
  used_bytes_ = 0;
}

}  // namespace lockstep::io
