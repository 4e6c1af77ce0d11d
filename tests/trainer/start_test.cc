// A start that hangs: rank 0 is a program that never calls MPI, and rank 1 waits for it.
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

Launch TrainBesideASleeper(const SmallRun& run) {
  Launch launch = run.Train("runs/a", 1);
  launch.limit_seconds = 60;
  launch.mpirun_arguments = {"sleep", "1000", ":", "-n", "1"};
  return launch;
}

TEST(StartTest, AStartThatHangsEndsWithAMessage) {
  const SmallRun run;
  Launch launch = TrainBesideASleeper(run);
  launch.environment["LOCKSTEP_START_MINUTES"] = "0.05";
  ExpectOneError(
      RunProgram(launch), 1,
      {"rank 1 on ", "MPI has not started within 3 s", "firewalls", "LOCKSTEP_START_MINUTES"});
}

TEST(StartTest, AStopSignalEndsAStartThatHangs) {
  const SmallRun run;
  for (const int signal : {SIGTERM, SIGUSR1}) {
    Program program(TrainBesideASleeper(run));
    // Two threads: the watchdog watches, so that MPI is about to start or starting.
    ASSERT_TRUE(program.WaitFor([&] { return program.ThreadsOfRank(1) > 1; }));
    program.SignalRank(1, signal);
    ExpectOneError(program.Wait(), 75,
                   {"stopped by signal " + std::to_string(signal), "while MPI was starting"});
  }
}

TEST(StartTest, TheBoundMustBeANumberOfMinutes) {
  const SmallRun run;
  for (const char* given : {"soon", "0", "-1", "nan", "5m", ""}) {
    Launch launch = run.Train("runs/a");
    launch.environment["LOCKSTEP_START_MINUTES"] = given;
    ExpectOneError(RunProgram(launch), 2, {std::string("LOCKSTEP_START_MINUTES=") + given});
  }
}

}  // namespace
}  // namespace lockstep::trainer
