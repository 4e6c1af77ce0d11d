// No signal handler may run in a training process: while one of oneDNN's float32 products computes
// (before 3.11.2; oneDNN issue 4845), a handler's frame would overwrite the heap.

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

// A set of signals of one thread: SigBlk (blocked) or SigCgt (caught by a handler).
uint64_t SignalsOf(const std::filesystem::path& thread, const std::string& name) {
  std::ifstream status(thread / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1), nullptr, 16);
  }
  ADD_FAILURE() << "no " << name << " in " << thread;
  return 0;
}

TEST(SignalsTest, NoHandlerCanRunInAnyThreadOfARank) {
  const SmallRun run;
  Program program(run.Train("runs/a", 2,
                            SlowSteps() + Settings{"training.threads=2", "training.steps=100000"}));
  ASSERT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= 3; })) << program.ErrSoFar();
  // Those that mean the end of the process anyway, and the C library's own two.
  uint64_t harmless = Bit(SIGRTMIN - 1) | Bit(SIGRTMIN - 2);
  for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
    harmless |= Bit(fatal);
  }
  const std::vector<pid_t> ranks = program.Ranks();
  ASSERT_EQ(ranks.size(), 2u);
  int threads = 0;
  for (const pid_t rank : ranks) {
    for (const auto& thread :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", rank))) {
      const uint64_t blocked = SignalsOf(thread, "SigBlk"), caught = SignalsOf(thread, "SigCgt");
      for (const int stop : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
        EXPECT_TRUE(blocked & Bit(stop)) << "signal " << stop << " of " << thread.path();
      }
      EXPECT_EQ(caught & ~blocked & ~harmless, 0u)
          << fmt::format("{:x} caught in {}", caught, thread.path().string());
      ++threads;
    }
  }
  EXPECT_GE(threads, 6) << "two OpenMP threads and the watchdog in each rank";
  program.Signal(SIGUSR1);
  EXPECT_EQ(program.Wait().status, 75);
}

TEST(SignalsTest, AHangUpStopsUnlessItWasIgnored) {
  const SmallRun run;
  for (const std::vector<std::string>& wrapper : {std::vector<std::string>{}, {"nohup"}}) {
    Launch launch = run.Train("runs/a", 0, SlowSteps() + Settings{"training.steps=100000"});
    launch.wrapper = wrapper;
    Program program(launch);
    const int64_t first = run.LastStep("runs/a");
    ASSERT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= first + 3; }));
    program.Signal(SIGHUP);
    int signal = SIGHUP;
    if (!wrapper.empty()) {
      const int64_t last = run.LastStep("runs/a");
      ASSERT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= last + 3; }));
      program.Signal(signal = SIGTERM);
    }
    const Outcome outcome = program.Wait();
    EXPECT_EQ(outcome.status, 75) << outcome.err;
    EXPECT_THAT(outcome.err, testing::HasSubstr(fmt::format("stopped by signal {} ", signal)));
  }
}

}  // namespace
}  // namespace lockstep::trainer
