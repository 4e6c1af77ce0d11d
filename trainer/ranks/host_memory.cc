#include "trainer/ranks/host_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include <sys/resource.h>

#include "trainer/ranks/cgroup.h"

namespace lockstep::trainer {

int64_t AvailableMemoryBytes(const std::filesystem::path& root) {
  const int64_t group = ReadCgroupLimits(root).memory_bytes;
  std::ifstream file(root / "proc/meminfo");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string key;
    int64_t kibibytes = 0;
    if (words >> key >> kibibytes && key == "MemAvailable:") {
      return std::max<int64_t>(1, std::min(group, kibibytes * 1024));
    }
  }
  return group == std::numeric_limits<int64_t>::max() ? 0 : std::max<int64_t>(group, 1);
}

int64_t PeakMemoryBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace lockstep::trainer
