#ifndef LOCKSTEP_TESTS_TRAINER_PROGRAM_H_
#define LOCKSTEP_TESTS_TRAINER_PROGRAM_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lockstep::trainer {

/// How the program is started.
struct Launch {
  std::vector<std::string> arguments;              ///< of `lockstep`
  int ranks = 0;                                   ///< under mpirun; 0: without it
  std::filesystem::path folder;                    ///< where it runs; its TMPDIR is below
  std::map<std::string, std::string> environment;  ///< beside the test's own
  std::vector<std::string> wrapper;           ///< a command that starts the command: "setpriv", ...
  std::vector<std::string> mpirun_arguments;  ///< beside our own
  double limit_seconds = 180.0;  ///< then everything that it started is killed and the test fails
};

/// What became of it.
struct Outcome {
  int status = -1;  ///< exit status; 128 + n when signal n ended it
  std::string out, err;
  int64_t peak_bytes = 0;  ///< resident memory of the process that was started

  /// Lines of standard error that start with "lockstep: error". mpirun's own notices do not count.
  std::vector<std::string> Errors() const;
};

/// The `lockstep` program, running. Its standard output and error are kept aside until it ends.
class Program {
 public:
  explicit Program(Launch launch);
  /// Kills it, and whatever it started, if it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Until `condition` holds, which is asked every millisecond or so. False (and a failed test when
  /// that is because of the time limit) when the program ended before.
  bool WaitFor(const std::function<bool()>& condition);

  /// Lets this much time pass, or less if the program ends.
  void LetRun(std::chrono::microseconds time);

  /// To the process that was started: mpirun, or lockstep itself.
  void Signal(int signal);

  /// To the process of one rank, or of all; a rank that is gone is passed over.
  void SignalRank(int rank, int signal);
  void SignalRanks(int signal);

  /// The processes of its ranks; the program's own without a launcher.
  std::vector<pid_t> Ranks() const;

  /// How many threads the process of a rank has; 0 when it is not there.
  int ThreadsOfRank(int rank) const;

  /// What it has written to standard error so far.
  std::string ErrSoFar() const;

  /// Until it has ended. A test failure when the time limit comes first.
  Outcome Wait();

 private:
  using Clock = std::chrono::steady_clock;
  bool Poll(std::chrono::microseconds time);
  bool Expired() const { return Clock::now() >= deadline_; }
  void KillAll();
  void Collect();

  const Launch launch_;
  const Clock::time_point deadline_;
  int out_ = -1, err_ = -1;  // memory files that it writes to
  pid_t process_ = -1;
  int process_descriptor_ = -1;  // pidfd: readable when the process has ended
  bool ended_ = false;
  int status_ = -1;
  int64_t peak_bytes_ = 0;
};

/// Starts the program and waits for its end.
Outcome RunProgram(const Launch& launch);

/// Fails the test unless the program ended with `status` and exactly one error message, which holds
/// all of `parts`.
void ExpectOneError(const Outcome& outcome, int status, const std::vector<std::string>& parts);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_PROGRAM_H_
