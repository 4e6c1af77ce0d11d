#include "trainer/ranks/cgroup.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "trainer/ranks/host_memory.h"

namespace lockstep::trainer {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
constexpr double kAllCpus = std::numeric_limits<double>::infinity();

class CgroupTest : public testing::Test {
 protected:
  CgroupLimits Limits() const { return ReadCgroupLimits(root_.path()); }
  io::TemporaryFolder root_;
};

TEST_F(CgroupTest, NothingToReadIsNoLimit) {
  EXPECT_EQ(Limits().memory_bytes, kNoLimit);
  EXPECT_EQ(Limits().cpus, kAllCpus);
  EXPECT_EQ(AvailableMemoryBytes(root_.path()), 0);
  root_.Write("proc/meminfo", "MemTotal: 9000 kB\nHugePages_Total: 0\nMemAvailable:  5000 kB\n");
  EXPECT_EQ(AvailableMemoryBytes(root_.path()), 5000 * 1024);
}

class SecondVersionTest : public CgroupTest {
 protected:
  SecondVersionTest() {
    root_.Write("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
    root_.Write("proc/self/mountinfo",
                "22 1 0:21 / /proc rw - proc proc rw\n"
                "31 22 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n");
  }
};

TEST_F(SecondVersionTest, TheTightestGroupAboveCounts) {
  const std::string top = "sys/fs/cgroup/";
  root_.Write(top + "slurm/job_7/step_0/memory.max", "max\n");
  root_.Write(top + "slurm/job_7/step_0/memory.current", "100\n");
  root_.Write(top + "slurm/job_7/memory.max", "10000\n");
  root_.Write(top + "slurm/job_7/memory.current", "3000\n");
  root_.Write(top + "slurm/job_7/memory.stat", "anon 2500\ninactive_file 400\nactive_file 100\n");
  root_.Write(top + "slurm/memory.max", "20000\n");
  root_.Write(top + "slurm/memory.current", "4000\n");
  root_.Write(top + "slurm/job_7/step_0/cpu.max", "max 100000\n");
  root_.Write(top + "slurm/job_7/cpu.max", "350000 100000\n");
  root_.Write(top + "slurm/cpu.max", "400000 100000\n");
  EXPECT_EQ(Limits().memory_bytes, 10000 - (3000 - 400));
  EXPECT_EQ(Limits().cpus, 3.5);
  // What the host has counts as well.
  root_.Write("proc/meminfo", "MemAvailable: 5 kB\n");
  EXPECT_EQ(AvailableMemoryBytes(root_.path()), 5 * 1024);
  root_.Write("proc/meminfo", "MemAvailable: 500 kB\n");
  EXPECT_EQ(AvailableMemoryBytes(root_.path()), 7400);
}

TEST_F(SecondVersionTest, AGroupThatIsFullLeavesNothing) {
  root_.Write("sys/fs/cgroup/slurm/memory.max", "1000\n");
  root_.Write("sys/fs/cgroup/slurm/memory.current", "1500\n");
  EXPECT_EQ(Limits().memory_bytes, 0);
  EXPECT_EQ(AvailableMemoryBytes(root_.path()), 1) << "0 would mean that it is not known";
}

TEST_F(CgroupTest, FirstVersionHasAHierarchyForEachController) {
  root_.Write("proc/self/cgroup", "5:memory:/a/b\n4:cpuset:/\n3:cpu,cpuacct:/c\n0::/\n");
  root_.Write("proc/self/mountinfo",
              "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
              "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
              "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  const std::string memory = "sys/fs/cgroup/memory/", cpu = "sys/fs/cgroup/cpu,cpuacct/";
  root_.Write(memory + "memory.limit_in_bytes", "9223372036854771712\n");
  root_.Write(memory + "memory.usage_in_bytes", "1000\n");
  root_.Write(memory + "a/memory.limit_in_bytes", "8000\n");
  root_.Write(memory + "a/memory.usage_in_bytes", "5000\n");
  root_.Write(memory + "a/memory.stat", "inactive_file 1\ntotal_inactive_file 2000\n");
  root_.Write(memory + "a/b/memory.limit_in_bytes", "9223372036854771712\n");
  root_.Write(memory + "a/b/memory.usage_in_bytes", "1000\n");
  root_.Write(cpu + "cpu.cfs_quota_us", "-1\n");
  root_.Write(cpu + "cpu.cfs_period_us", "100000\n");
  root_.Write(cpu + "c/cpu.cfs_quota_us", "25000\n");
  root_.Write(cpu + "c/cpu.cfs_period_us", "100000\n");
  root_.Write("sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "1\n");
  EXPECT_EQ(Limits().memory_bytes, 5000);
  EXPECT_EQ(Limits().cpus, 0.25);
}

// A container without a namespace of its own for groups: the path is that of the host, of which
// only the container's part is mounted.
TEST_F(CgroupTest, AContainerSeesItsOwnPart) {
  root_.Write("proc/self/cgroup", "5:memory:/docker/0123/init\n");
  root_.Write("proc/self/mountinfo",
              "35 31 0:32 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  root_.Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8000\n");
  root_.Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n");
  EXPECT_EQ(Limits().memory_bytes, 3000);
  root_.Write("sys/fs/cgroup/memory/init/memory.limit_in_bytes", "6000\n");
  root_.Write("sys/fs/cgroup/memory/init/memory.usage_in_bytes", "5000\n");
  EXPECT_EQ(Limits().memory_bytes, 1000);
}

}  // namespace
}  // namespace lockstep::trainer
