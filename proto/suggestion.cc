#include "proto/suggestion.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <numeric>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lockstep::proto {
namespace {

// An abbreviation must have this many letters to count as one.
constexpr std::size_t kShortestStem = 3;

std::string LowerCase(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Levenshtein's distance, one row of the table at a time.
std::size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool IsStem(const std::string& stem, const std::string& word) {
  return stem.size() >= kShortestStem && word.starts_with(stem);
}

}  // namespace

std::string Suggest(const std::string& unknown, std::span<const std::string> known) {
  const std::string wanted = LowerCase(unknown);
  const std::string* nearest = nullptr;
  std::size_t least = 0;
  for (const std::string& candidate : known) {
    const std::string name = LowerCase(candidate);
    std::size_t distance = EditDistance(wanted, name);
    // About one wrong letter in three, so that a name is not answered with an unrelated one.
    if (distance > std::max<std::size_t>(1, std::min(wanted.size(), name.size()) / 3)) {
      if (!IsStem(wanted, name) && !IsStem(name, wanted)) continue;
    }
    if (nearest == nullptr || distance < least) {
      nearest = &candidate;
      least = distance;
    }
  }
  if (nearest != nullptr) return fmt::format("did you mean {}?", *nearest);
  return known.empty() ? "nothing is known here"
                       : fmt::format("known here: {}", fmt::join(known, ", "));
}

}  // namespace lockstep::proto
