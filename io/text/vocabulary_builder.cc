#include "io/text/vocabulary_builder.h"

#include <limits>
#include <optional>
#include <queue>
#include <utility>

#include "io/text/token_ids.h"

namespace lockstep::io {
namespace {

constexpr size_t kCodePoints = 0x110000;
constexpr size_t kByteValues = 0x100;
constexpr const char* kUnknownText = "<unk>";

struct Candidate {
  uint64_t count = 0;
  std::string token;
};

struct Better {
  bool operator()(const Candidate& left, const Candidate& right) const {
    return left.count != right.count ? left.count > right.count : left.token < right.token;
  }
};

/// The best `most` candidates that it was given; the worst of them is on top.
class BestCandidates {
 public:
  explicit BestCandidates(uint64_t most) : most_(most) {}

  void Offer(const TokenCount& token) {
    const bool full = kept_.size() == most_;
    // Candidates come in the order of their bytes, so among equal counts an earlier one wins.
    if (full && token.count <= kept_.top().count) return;
    if (full) kept_.pop();
    kept_.push({token.count, std::string(token.token)});
  }

  void DropWorst() { kept_.pop(); }

  /// From the best to the worst, behind `first`.
  std::vector<std::string> TakeBehind(std::vector<std::string> first) {
    const size_t begin = first.size();
    first.resize(begin + kept_.size());
    for (size_t i = first.size(); i > begin; --i) {
      first[i - 1] = kept_.top().token;
      kept_.pop();
    }
    return first;
  }

 private:
  uint64_t most_;
  std::priority_queue<Candidate, std::vector<Candidate>, Better> kept_;
};

}  // namespace

VocabularyBuilder::VocabularyBuilder(TokenKind kind, std::filesystem::path folder,
                                     size_t memory_bytes)
    : kind_(kind) {
  if (kind == TokenKind::kWord) {
    word_counts_ = std::make_unique<TokenCounter>(std::move(folder), memory_bytes);
  } else {
    unit_counts_.resize(kind == TokenKind::kChar ? kCodePoints : kByteValues);
  }
}

void VocabularyBuilder::TakeUnits(std::span<const uint32_t> units) {
  for (const uint32_t unit : units) ++unit_counts_[unit];
  tokens_ += units.size();
}

void VocabularyBuilder::TakeWord(std::string_view word) {
  ++tokens_;
  if (word.size() <= kLongestWordBytes) word_counts_->Add(word);
}

Vocabulary VocabularyBuilder::Build(uint64_t limit, const std::string& normalization,
                                    bool lowercase) {
  if (limit == 0) limit = std::numeric_limits<uint64_t>::max();
  bool has_unknown = kind_ == TokenKind::kWord;
  const uint64_t room = has_unknown ? limit - 1 : limit;
  BestCandidates best(room);
  uint64_t different = 0;
  Drain([&](const TokenCount& token) {
    ++different;
    best.Offer(token);
  });
  if (!has_unknown && different > room) {
    best.DropWorst();
    has_unknown = true;
  }
  std::vector<std::string> first;
  std::optional<uint32_t> unknown;
  if (has_unknown) {
    first.emplace_back(kUnknownText);
    unknown = 0;
  }
  return Vocabulary(kind_, best.TakeBehind(std::move(first)), unknown, normalization, lowercase);
}

void VocabularyBuilder::Drain(const std::function<void(TokenCount)>& visit) {
  if (kind_ == TokenKind::kWord) {
    word_counts_->Drain(visit);
    return;
  }
  for (size_t unit = 0; unit < unit_counts_.size(); ++unit) {
    const uint64_t count = std::exchange(unit_counts_[unit], 0);
    if (count != 0) visit({UnitText(kind_, static_cast<uint32_t>(unit)), count});
  }
}

}  // namespace lockstep::io
