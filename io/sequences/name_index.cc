#include "io/sequences/name_index.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/series/table_rows.h"

namespace lockstep::io {

uint32_t NameIndex::NumberOf(std::string_view name) {
  const auto found = numbers_.find(name);
  if (found != numbers_.end()) return found->second;
  const auto number = static_cast<uint32_t>(names_.size());
  names_.emplace_back(name);
  numbers_.emplace(names_.back(), number);
  return number;
}

NameIndex::Sorted NameIndex::Sort() const {
  std::vector<uint32_t> order(names_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {},
                    [this](uint32_t number) -> const std::string& { return names_[number]; });
  Sorted sorted;
  sorted.place_of_number.resize(order.size());
  for (const uint32_t number : order) {
    sorted.place_of_number[number] = static_cast<uint32_t>(sorted.names.size());
    sorted.names.push_back(names_[number]);
  }
  return sorted;
}

NameIndex::Sorted NameIndex::SortAs(const std::vector<std::string>& given, std::string_view what,
                                    const std::string& origin) const {
  constexpr size_t kMostShown = 5;
  std::unordered_map<std::string_view, uint32_t> places;
  for (const std::string& name : given) {
    places.emplace(name, static_cast<uint32_t>(places.size()));
  }
  Sorted sorted{given, {}};
  size_t missing = 0;
  std::string shown;
  for (const std::string& name : names_) {
    const auto found = places.find(name);
    if (found != places.end()) {
      sorted.place_of_number.push_back(found->second);
    } else if (++missing <= kMostShown) {
      shown += (missing > 1 ? ", " : "") + Quoted(name);
    }
  }
  if (missing == 0) return sorted;
  throw InputError(fmt::format(
      "{} of the {} {} are none of {}: {}{}. Leave their examples out, or --vocabulary-from.",
      missing, names_.size(), what, origin, shown, missing > kMostShown ? ", ..." : ""));
}

}  // namespace lockstep::io
