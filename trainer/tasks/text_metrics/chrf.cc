#include "trainer/tasks/text_metrics/chrf.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "trainer/tasks/text_metrics/characters.h"

namespace lockstep::trainer {
namespace {

using Counts = std::unordered_map<std::u32string_view, int64_t>;

std::u32string WithoutWhiteSpace(std::string_view utf8) {
  std::u32string codes = CodePoints(utf8);
  std::erase_if(codes, IsWhiteSpace);
  return codes;
}

Counts CountNgrams(std::u32string_view text, size_t n) {
  Counts counts;
  for (size_t begin = 0; begin + n <= text.size(); ++begin) ++counts[text.substr(begin, n)];
  return counts;
}

}  // namespace

void ChrF::Add(std::string_view text, std::string_view truth) {
  const std::u32string text_codes = WithoutWhiteSpace(text);
  const std::u32string truth_codes = WithoutWhiteSpace(truth);
  for (size_t n = 1; n <= kOrders && n <= truth_codes.size(); ++n) {
    const Counts of_text = CountNgrams(text_codes, n), of_truth = CountNgrams(truth_codes, n);
    const auto sums = std::span(sums_).subspan(3 * (n - 1), 3);
    for (const auto& [ngram, count] : of_text) {
      sums[0] += static_cast<double>(count);
      const auto found = of_truth.find(ngram);
      if (found == of_truth.end()) continue;
      sums[2] += static_cast<double>(std::min(count, found->second));
    }
    sums[1] += static_cast<double>(truth_codes.size() - n + 1);
  }
}

double ChrF::Finish(std::span<const double> sums) {
  constexpr double kBeta2 = 4.0;
  double precision = 0.0, recall = 0.0, orders = 0.0;
  for (int n = 0; n < kOrders; ++n) {
    const auto counts = sums.subspan(3 * n, 3);
    if (counts[0] == 0.0 || counts[1] == 0.0) continue;
    precision += counts[2] / counts[0];
    recall += counts[2] / counts[1];
    orders += 1.0;
  }
  if (precision + recall == 0.0) return 0.0;
  precision /= orders;
  recall /= orders;
  return 100.0 * (1.0 + kBeta2) * precision * recall / (kBeta2 * precision + recall);
}

std::string ChrF::Signature() {
  return "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:lockstep-" LOCKSTEP_VERSION;
}

}  // namespace lockstep::trainer
