#include "io/sequences/name_index.h"

#include <algorithm>
#include <numeric>

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

}  // namespace lockstep::io
