#include "trainer/ranks/affinity.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include <sched.h>

namespace lockstep::trainer {

std::vector<uint64_t> AffinityMask(const std::function<int(size_t bytes, uint64_t* mask)>& get) {
  constexpr size_t kLeastWords = 16;  // 1,024 processors, glibc's cpu_set_t
  constexpr size_t kMostWords = size_t{1} << 16;
  for (size_t words = kLeastWords; words <= kMostWords; words *= 2) {
    std::vector<uint64_t> mask(words);
    if (get(words * sizeof(uint64_t), mask.data()) == 0) return mask;
    if (errno != EINVAL) break;
  }
  return {};
}

std::vector<uint64_t> AffinityMask() {
  return AffinityMask([](size_t bytes, uint64_t* mask) {
    return sched_getaffinity(0, bytes, reinterpret_cast<cpu_set_t*>(mask));
  });
}

int CountProcessors(std::span<const uint64_t> mask) {
  int count = 0;
  for (const uint64_t word : mask) count += std::popcount(word);
  return std::max(1, count);
}

}  // namespace lockstep::trainer
