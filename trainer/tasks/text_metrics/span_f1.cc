#include "trainer/tasks/text_metrics/span_f1.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace lockstep::trainer {
namespace {

constexpr size_t kTokens = 0, kCorrectTokens = 1, kFirstType = 2;
constexpr size_t kTruth = 0, kFound = 1, kCorrect = 2, kCounts = 3;

// Ids outside of a scheme: the one of "no span", and the one of tags that import had not seen.
bool IsOutside(std::string_view tag) { return tag == "O" || tag == "<unk>"; }

double Share(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

}  // namespace

double SpanScore::precision() const {
  return Share(static_cast<double>(correct), static_cast<double>(found));
}

double SpanScore::recall() const {
  return Share(static_cast<double>(correct), static_cast<double>(truth));
}

double SpanScore::f1() const { return Share(2.0 * precision() * recall(), precision() + recall()); }

// conlleval's expression: up to the first hyphen, which the type may have more of.
SpanF1::Part SpanF1::PartsOf(std::string_view tag) {
  const size_t hyphen = tag.find('-');
  if (hyphen == std::string_view::npos) return {tag, {}};
  return {tag.substr(0, hyphen), tag.substr(hyphen + 1)};
}

std::string_view SpanF1::SchemeOf(const std::vector<std::string>& tags) {
  std::set<std::string_view> prefixes;
  for (const std::string& tag : tags) {
    if (!IsOutside(tag)) prefixes.insert(PartsOf(tag).prefix);
  }
  if (!prefixes.contains("B") && !prefixes.contains("I")) return {};
  struct Scheme {
    std::string_view name;
    std::set<std::string_view> prefixes;
  };
  static const Scheme kSchemes[] = {
      {"BIO", {"B", "I"}}, {"IOBES", {"B", "I", "E", "S"}}, {"BILOU", {"B", "I", "L", "U"}}};
  for (const Scheme& scheme : kSchemes) {
    if (std::ranges::includes(scheme.prefixes, prefixes)) return scheme.name;
  }
  return {};
}

SpanF1::SpanF1(const std::vector<std::string>& tags) : scheme_(SchemeOf(tags)), tags_(tags.size()) {
  if (!scheme_.empty()) {
    std::set<std::string> types;
    for (const std::string& tag : tags) {
      if (!IsOutside(tag)) types.emplace(PartsOf(tag).type);
    }
    types_.assign(types.begin(), types.end());
    for (size_t i = 0; i < tags.size(); ++i) {
      if (IsOutside(tags[i])) continue;
      const auto [prefix, type] = PartsOf(tags[i]);
      tags_[i].prefix = prefix == "B"                    ? Prefix::kBegin
                        : prefix == "I"                  ? Prefix::kInside
                        : prefix == "E" || prefix == "L" ? Prefix::kEnd
                                                         : Prefix::kSingle;
      tags_[i].type = static_cast<int>(std::ranges::lower_bound(types_, type) - types_.begin());
    }
  }
  sums_.assign(kFirstType + kCounts * types_.size(), 0.0);
}

// Whether the span of the token before ends before this one.
bool SpanF1::Ends(Tag before, Tag tag) {
  if (before.prefix == Prefix::kOutside) return false;
  if (before.prefix == Prefix::kEnd || before.prefix == Prefix::kSingle) return true;
  return tag.prefix == Prefix::kOutside || tag.prefix == Prefix::kBegin ||
         tag.prefix == Prefix::kSingle || before.type != tag.type;
}

bool SpanF1::Begins(Tag before, Tag tag) {
  if (tag.prefix == Prefix::kOutside) return false;
  if (tag.prefix == Prefix::kBegin || tag.prefix == Prefix::kSingle) return true;
  return before.prefix == Prefix::kOutside || before.prefix == Prefix::kEnd ||
         before.prefix == Prefix::kSingle || before.type != tag.type;
}

void SpanF1::AddStep(Tag truth, Tag found) {
  const bool truth_ends = Ends(last_truth_, truth), found_ends = Ends(last_found_, found);
  if (agrees_ && truth_ends && found_ends) {
    sums_[kFirstType + kCounts * last_truth_.type + kCorrect] += 1.0;
  }
  if (truth_ends || found_ends) agrees_ = false;
  const bool truth_begins = Begins(last_truth_, truth), found_begins = Begins(last_found_, found);
  if (truth_begins) sums_[kFirstType + kCounts * truth.type + kTruth] += 1.0;
  if (found_begins) sums_[kFirstType + kCounts * found.type + kFound] += 1.0;
  if (truth_begins || found_begins) {
    agrees_ = truth_begins && found_begins && truth.type == found.type;
  }
  last_truth_ = truth;
  last_found_ = found;
}

void SpanF1::Add(std::span<const int32_t> truth, std::span<const int32_t> found) {
  if (truth.size() != found.size()) {
    throw std::invalid_argument("a sentence has as many tags as it has tokens");
  }
  for (size_t i = 0; i < truth.size(); ++i) {
    sums_[kTokens] += 1.0;
    if (truth[i] == found[i]) sums_[kCorrectTokens] += 1.0;
    if (!scheme_.empty()) AddStep(tags_.at(truth[i]), tags_.at(found[i]));
  }
  if (!scheme_.empty()) AddStep({}, {});
}

SpanScores SpanF1::Finish(std::span<const double> sums) const {
  SpanScores scores;
  scores.tokens = static_cast<int64_t>(sums[kTokens]);
  scores.token_accuracy = Share(sums[kCorrectTokens], sums[kTokens]);
  for (size_t type = 0; type < types_.size(); ++type) {
    const auto counts = sums.subspan(kFirstType + kCounts * type, kCounts);
    SpanScore row;
    row.type = types_[type];
    row.truth = static_cast<int64_t>(counts[kTruth]);
    row.found = static_cast<int64_t>(counts[kFound]);
    row.correct = static_cast<int64_t>(counts[kCorrect]);
    scores.all.truth += row.truth;
    scores.all.found += row.found;
    scores.all.correct += row.correct;
    scores.rows.push_back(std::move(row));
  }
  return scores;
}

}  // namespace lockstep::trainer
