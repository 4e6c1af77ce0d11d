#include "trainer/ranks/cgroup.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace lockstep::trainer {
namespace {

namespace fs = std::filesystem;

// A mounted hierarchy of groups, and where this process is in it.
struct Hierarchy {
  bool second_version = false;
  fs::path top, own;
};

bool Contains(const std::string& list, const std::string& name) {
  return ("," + list + ",").find("," + name + ",") != std::string::npos;
}

// The process's group in the hierarchy of a controller (version 1), or in that of version 2 (an
// empty name), from lines "number:controllers:path".
std::optional<fs::path> OwnGroup(const fs::path& root, const std::string& controller) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : Contains(controllers, controller)) {
      return line.substr(second + 1);
    }
  }
  return std::nullopt;
}

// A container may see a part of the hierarchy only: then `mounted` is that part's path in the
// whole. Lines "id parent device mounted point options... - type source options".
std::vector<Hierarchy> HierarchiesWith(const fs::path& root, const std::string& controller) {
  std::vector<Hierarchy> found;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t dash = line.find(" - ");
    if (dash == line.npos) continue;
    std::string skipped, mounted, point, type, source, options;
    std::istringstream(line) >> skipped >> skipped >> skipped >> mounted >> point;
    std::istringstream(line.substr(dash + 3)) >> type >> source >> options;
    Hierarchy hierarchy;
    hierarchy.second_version = type == "cgroup2";
    if (!hierarchy.second_version && !(type == "cgroup" && Contains(options, controller))) continue;
    const auto group = OwnGroup(root, hierarchy.second_version ? "" : controller);
    if (!group) continue;
    hierarchy.top = root / fs::path(point).relative_path();
    const fs::path below = group->lexically_relative(mounted);
    const bool inside = !below.empty() && *below.begin() != ".." && *below.begin() != ".";
    hierarchy.own = inside ? hierarchy.top / below : hierarchy.top;
    found.push_back(hierarchy);
  }
  return found;
}

// The first number of a file; none where it does not begin with one ("max").
std::optional<int64_t> ReadNumber(const fs::path& path) {
  int64_t number = 0;
  if (std::ifstream(path) >> number) return number;
  return std::nullopt;
}

// The number behind a name in a file of lines "name number".
int64_t ReadEntry(const fs::path& path, const std::string& name) {
  std::ifstream file(path);
  std::string key;
  for (int64_t value = 0; file >> key >> value;) {
    if (key == name) return value;
  }
  return 0;
}

void ApplyMemory(const fs::path& group, bool second_version, CgroupLimits& limits) {
  const auto limit = ReadNumber(group / (second_version ? "memory.max" : "memory.limit_in_bytes"));
  const auto used =
      ReadNumber(group / (second_version ? "memory.current" : "memory.usage_in_bytes"));
  if (!limit || !used) return;
  const int64_t files =
      ReadEntry(group / "memory.stat", second_version ? "inactive_file" : "total_inactive_file");
  limits.memory_bytes = std::min(
      limits.memory_bytes, std::max<int64_t>(0, *limit - std::max<int64_t>(0, *used - files)));
}

void ApplyCpus(const fs::path& group, bool second_version, CgroupLimits& limits) {
  double quota = 0.0, period = 0.0;
  if (second_version) {
    if (!(std::ifstream(group / "cpu.max") >> quota >> period)) return;
  } else {
    quota = static_cast<double>(ReadNumber(group / "cpu.cfs_quota_us").value_or(-1));
    period = static_cast<double>(ReadNumber(group / "cpu.cfs_period_us").value_or(0));
  }
  if (quota > 0.0 && period > 0.0) limits.cpus = std::min(limits.cpus, quota / period);
}

}  // namespace

CgroupLimits ReadCgroupLimits(const fs::path& root) {
  CgroupLimits limits;
  const auto for_each_group = [&](const std::string& controller, const auto& apply) {
    for (const Hierarchy& hierarchy : HierarchiesWith(root, controller)) {
      for (fs::path group = hierarchy.own;; group = group.parent_path()) {
        apply(group, hierarchy.second_version, limits);
        if (group == hierarchy.top) break;
      }
    }
  };
  for_each_group("memory", ApplyMemory);
  for_each_group("cpu", ApplyCpus);
  return limits;
}

}  // namespace lockstep::trainer
