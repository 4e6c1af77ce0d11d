#ifndef LOCKSTEP_TESTS_IO_CHILD_PROCESS_H_
#define LOCKSTEP_TESTS_IO_CHILD_PROCESS_H_

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lockstep::io {

/// A forked copy of the test that runs one function and exits, with the function's result as its
/// status (99 when it throws). It is killed when the object goes while it runs.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<int()>& function) {
    std::fflush(nullptr);  // or the child would print it, too
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("no child process");
    if (pid_ > 0) return;
    int status = 99;
    try {
      status = function();
    } catch (...) {
    }
    std::exit(status);
  }
  ~ChildProcess() {
    if (pid_ > 0) Kill();
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// SIGKILL; returns when the process is gone.
  void Kill() {
    ::kill(pid_, SIGKILL);
    Wait();
  }
  /// The exit status; -1 when a signal ended it.
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_CHILD_PROCESS_H_
