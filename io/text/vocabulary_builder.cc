#include "io/text/vocabulary_builder.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <queue>
#include <utility>

#include "io/text/token_ids.h"

namespace lockstep::io {
namespace {

constexpr size_t kByteValues = 0x100;
/// Of subwords a line feed is counted so, since words have none.
constexpr std::string_view kLineFeed = "\n";
/// The counter needs four times the longest word, which is 32,768 UTF-16 units.
constexpr size_t kLeastSubwordMemoryBytes = 1 << 20;

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
                                     size_t memory_bytes, std::string line_end)
    : kind_(kind), line_end_(std::move(line_end)) {
  if (kind == TokenKind::kByte) GrowTo(kByteValues);
  if (kind == TokenKind::kChar || kind == TokenKind::kByte) return;
  if (kind == TokenKind::kSubword) memory_bytes = std::max(memory_bytes, kLeastSubwordMemoryBytes);
  const size_t longest =
      kind == TokenKind::kSubword ? std::numeric_limits<size_t>::max() : kLongestWordBytes;
  word_counts_ = std::make_unique<TokenCounter>(std::move(folder), memory_bytes, longest);
}

void VocabularyBuilder::TakeUnits(std::span<const uint32_t> units) {
  uint32_t most = kByteValues - 1;
  if (kind_ == TokenKind::kChar) {
    // Unlike std::max_element, in vectors.
    most = std::accumulate(units.begin(), units.end(), uint32_t{0},
                           [](uint32_t left, uint32_t right) { return std::max(left, right); });
    GrowTo(most + size_t{1});
  }
  const auto counted = units.first(std::min<uint64_t>(to_count_, units.size()));
  if (most < kByteValues) {
    CountFew(counted);
  } else {
    for (const uint32_t unit : counted) ++unit_counts_[unit];
  }
  for (const uint32_t unit : units.subspan(counted.size())) unit_elsewhere_[unit] = true;
  to_count_ -= counted.size();
  tokens_ += units.size();
}

// In four tables: what was just written is not read again at once, for which a processor waits.
void VocabularyBuilder::CountFew(std::span<const uint32_t> units) {
  uint32_t counts[4][kByteValues] = {};
  size_t i = 0;
  for (; i + 4 <= units.size(); i += 4) {
    for (size_t j = 0; j < 4; ++j) ++counts[j][units[i + j]];
  }
  for (; i < units.size(); ++i) ++counts[0][units[i]];
  for (size_t unit = 0; unit < std::min(kByteValues, unit_counts_.size()); ++unit) {
    for (const auto& of_some : counts) unit_counts_[unit] += of_some[unit];
  }
}

void VocabularyBuilder::TakeWords(std::span<const std::string_view> words) {
  if (SeparatedByWhiteSpace(kind_)) {
    taken_.clear();
    for (const std::string_view word : words) {
      if (word != kLineFeed) {
        taken_.push_back(word);
      } else if (!line_end_.empty()) {
        taken_.push_back(kind_ == TokenKind::kSubword ? kLineFeed : line_end_);
      }
    }
    words = taken_;
  }
  const size_t counted = std::min<uint64_t>(to_count_, words.size());
  to_count_ -= counted;
  tokens_ += words.size();
  word_counts_->Add(words, counted, codes_);
}

void VocabularyBuilder::AddCoded(std::span<const std::string_view> coded,
                                 std::span<const uint64_t> counts) {
  for (size_t code = 0; code < coded.size(); ++code) {
    if (counts[code] > 0) word_counts_->Add(coded[code], counts[code]);
  }
}

void VocabularyBuilder::Add(VocabularyBuilder* other) {
  tokens_ += std::exchange(other->tokens_, 0);
  if (word_counts_) return word_counts_->Add(other->word_counts_.get());
  GrowTo(other->unit_counts_.size());
  for (size_t unit = 0; unit < other->unit_counts_.size(); ++unit) {
    unit_counts_[unit] += other->unit_counts_[unit];
    if (other->unit_elsewhere_[unit]) unit_elsewhere_[unit] = true;
  }
  other->unit_counts_.clear();
  other->unit_elsewhere_.clear();
}

void VocabularyBuilder::GrowTo(size_t units) {
  if (units <= unit_counts_.size()) return;
  unit_counts_.resize(units);
  unit_elsewhere_.resize(units);
}

std::shared_ptr<const Subwords> VocabularyBuilder::LearnSubwords(uint64_t most_merges) {
  return std::make_shared<const Subwords>(Subwords::Learn(Words(), most_merges));
}

Vocabulary VocabularyBuilder::Build(uint64_t limit, const std::string& normalization,
                                    bool lowercase, std::shared_ptr<const Subwords> subwords) {
  if (limit == 0) limit = std::numeric_limits<uint64_t>::max();
  bool has_unknown = word_counts_ != nullptr || keep_unknown_ || MissesUnits();
  const uint64_t room = has_unknown ? limit - 1 : limit;
  BestCandidates best(room);
  uint64_t different = 0;
  const auto offer = [&](const TokenCount& token) {
    if (SeparatedByWhiteSpace(kind_) && token.token == kUnknownText) return;
    if (token.count < least_count_) return;
    ++different;
    best.Offer(token);
  };
  subwords ? DrainPieces(*subwords, offer) : Drain(offer);
  if (!has_unknown && different > room) {
    best.DropWorst();
    has_unknown = true;
  }
  std::vector<std::string> tokens;
  std::optional<uint32_t> unknown;
  if (has_unknown) {
    tokens.emplace_back(kUnknownText);
    unknown = 0;
  }
  tokens = best.TakeBehind(std::move(tokens));
  const std::optional<uint32_t> line_end = PlaceLineEnd(limit, &tokens);
  return Vocabulary(kind_, std::move(tokens), unknown, normalization, lowercase, line_end,
                    std::move(subwords));
}

bool VocabularyBuilder::MissesUnits() const {
  for (size_t unit = 0; unit < unit_counts_.size(); ++unit) {
    if (unit_elsewhere_[unit] && unit_counts_[unit] == 0) return true;
  }
  return false;
}

std::optional<uint32_t> VocabularyBuilder::PlaceLineEnd(uint64_t limit,
                                                        std::vector<std::string>* tokens) const {
  if (!SeparatedByWhiteSpace(kind_) || line_end_.empty()) return std::nullopt;
  auto found = std::find(tokens->begin(), tokens->end(), line_end_);
  if (found == tokens->end()) {
    if (tokens->size() == limit) tokens->pop_back();
    found = tokens->insert(tokens->end(), line_end_);
  }
  return static_cast<uint32_t>(found - tokens->begin());
}

void VocabularyBuilder::Drain(const std::function<void(TokenCount)>& visit) {
  if (word_counts_) {
    word_counts_->Drain(visit);
    return;
  }
  for (size_t unit = 0; unit < unit_counts_.size(); ++unit) {
    const uint64_t count = std::exchange(unit_counts_[unit], 0);
    if (count != 0) visit({UnitText(kind_, static_cast<uint32_t>(unit)), count});
  }
}

void VocabularyBuilder::DrainPieces(const Subwords& subwords,
                                    const std::function<void(TokenCount)>& visit) {
  std::map<std::string, uint64_t> pieces;
  for (const CountedWord& word : Words()) {
    for (std::string& stage : subwords.Stages(word.word)) pieces.emplace(std::move(stage), 0);
    for (const std::string& piece : subwords.Segment(word.word)) pieces[piece] += word.count;
  }
  words_.clear();
  if (line_ends_ > 0) pieces[line_end_] += std::exchange(line_ends_, 0);
  for (const auto& [piece, count] : pieces) visit({piece, count});
}

const std::vector<CountedWord>& VocabularyBuilder::Words() {
  if (words_.empty()) {
    word_counts_->Drain([this](const TokenCount& word) {
      if (word.token == kLineFeed) {
        line_ends_ = word.count;
      } else {
        words_.push_back({std::string(word.token), word.count});
      }
    });
  }
  return words_;
}

}  // namespace lockstep::io
