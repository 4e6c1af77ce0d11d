#include "trainer/tasks/text_metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <vector>

#include "trainer/tasks/text_metrics/characters.h"

namespace lockstep::trainer {
namespace {

constexpr size_t kOrders = 4;
constexpr size_t kLength = 0, kTruthLength = 1, kMatches = 2, kTotals = kMatches + kOrders;

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsPoint(char c) { return c == '.' || c == ','; }

// [\{-\~\[-\` -\&\(-\+\:-\@\/]: ASCII but letters, digits and ' , - .
bool IsSymbol(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

std::string WithSpacesAroundSymbols(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (IsSymbol(c)) {
      out += {' ', c, ' '};
    } else {
      out += c;
    }
  }
  return out;
}

// Where two neighbours match, the pair is replaced and the search goes on behind it, as that of a
// regular expression. Both sides may be bytes: what matches besides ASCII is copied alone.
template <typename Matches, typename Replacement>
std::string ReplacePairs(std::string_view text, Matches matches, Replacement replacement) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    if (at + 1 < text.size() && matches(text[at], text[at + 1])) {
      out += replacement(text[at], text[at + 1]);
      at += 2;
    } else {
      out += text[at++];
    }
  }
  return out;
}

using Counts = std::unordered_map<std::string_view, int64_t>;

// All n-grams of words with one space between them; they point into `line`. How many words.
int64_t CountNgrams(std::string_view line, Counts (&counts)[kOrders]) {
  const std::vector<std::string_view> words = SplitAtWhiteSpace(line);
  for (size_t begin = 0; begin < words.size(); ++begin) {
    for (size_t n = 0; n < kOrders && begin + n < words.size(); ++n) {
      const std::string_view last = words[begin + n];
      const char* start = words[begin].data();
      ++counts[n][{start, static_cast<size_t>(last.data() + last.size() - start)}];
    }
  }
  return std::ssize(words);
}

}  // namespace

std::string Tokens13a(std::string_view text) {
  std::string line(text);
  ReplaceAll(line, "<skipped>", "");
  ReplaceAll(line, "-\n", "");
  ReplaceAll(line, "\n", " ");
  ReplaceAll(line, "&quot;", "\"");
  ReplaceAll(line, "&amp;", "&");
  ReplaceAll(line, "&lt;", "<");
  ReplaceAll(line, "&gt;", ">");
  line = WithSpacesAroundSymbols(" " + line + " ");
  // Points and commas, unless a digit is before, then unless one is behind; hyphens after a digit.
  line = ReplacePairs(
      line, [](char a, char b) { return !IsDigit(a) && IsPoint(b); },
      [](char a, char b) {
        return std::string{a, ' ', b, ' '};
      });
  line = ReplacePairs(
      line, [](char a, char b) { return IsPoint(a) && !IsDigit(b); },
      [](char a, char b) {
        return std::string{' ', a, ' ', b};
      });
  line = ReplacePairs(
      line, [](char a, char b) { return IsDigit(a) && b == '-'; },
      [](char a, char b) {
        return std::string{a, ' ', b, ' '};
      });
  std::string out;
  for (const std::string_view word : SplitAtWhiteSpace(line)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

void Bleu::Add(std::string_view text, std::string_view truth) {
  // White space at the end goes before tokens are made: "-\n" there is not a broken word.
  const auto tokens = [](std::string_view segment) {
    const std::vector<std::string_view> pieces = SplitAtWhiteSpace(segment);
    if (pieces.empty()) return std::string();
    const std::string_view last = pieces.back();
    return Tokens13a(segment.substr(0, last.data() + last.size() - segment.data()));
  };
  const std::string text_tokens = tokens(text), truth_tokens = tokens(truth);
  Counts of_text[kOrders], of_truth[kOrders];
  sums_[kLength] += static_cast<double>(CountNgrams(text_tokens, of_text));
  sums_[kTruthLength] += static_cast<double>(CountNgrams(truth_tokens, of_truth));
  for (size_t n = 0; n < kOrders; ++n) {
    for (const auto& [ngram, count] : of_text[n]) {
      sums_[kTotals + n] += static_cast<double>(count);
      const auto found = of_truth[n].find(ngram);
      if (found == of_truth[n].end()) continue;
      sums_[kMatches + n] += static_cast<double>(std::min(count, found->second));
    }
  }
}

BleuScore Bleu::Finish(std::span<const double> sums) {
  BleuScore result;
  result.length = static_cast<int64_t>(sums[kLength]);
  result.truth_length = static_cast<int64_t>(sums[kTruthLength]);
  result.brevity_penalty = 1.0;
  if (sums[kLength] < sums[kTruthLength]) {
    result.brevity_penalty =
        sums[kLength] > 0.0 ? std::exp(1.0 - sums[kTruthLength] / sums[kLength]) : 0.0;
  }
  const auto matches = sums.subspan(kMatches, kOrders), totals = sums.subspan(kTotals, kOrders);
  if (std::ranges::all_of(matches, [](double count) { return count == 0.0; })) return result;
  double smoothing = 1.0, logs = 0.0;
  for (size_t n = 0; n < kOrders; ++n) {
    if (totals[n] == 0.0) return result;  // texts of fewer words than an order has: 0
    if (matches[n] == 0.0) smoothing *= 2.0;
    result.precisions[n] = 100.0 * (matches[n] > 0.0 ? matches[n] : 1.0 / smoothing) / totals[n];
    logs += std::log(result.precisions[n]);
  }
  result.score = result.brevity_penalty * std::exp(logs / kOrders);
  return result;
}

std::string Bleu::Signature() {
  return "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:lockstep-" LOCKSTEP_VERSION;
}

}  // namespace lockstep::trainer
