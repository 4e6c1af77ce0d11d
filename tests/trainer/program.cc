#include "tests/trainer/program.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lockstep::trainer {
namespace {

namespace fs = std::filesystem;

constexpr auto kTick = std::chrono::milliseconds(1);

std::string ReadAll(int descriptor) {
  struct stat status = {};
  fstat(descriptor, &status);
  std::string text(static_cast<size_t>(status.st_size), '\0');
  const ssize_t got = pread(descriptor, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

// Empty when it is gone; of a process that ends meanwhile, what could be read.
std::string ReadFile(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// The parent of a process, from /proc; 0 when it is gone.
pid_t ParentOf(const fs::path& process) {
  const std::string text = ReadFile(process / "stat");
  const size_t name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(text.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (ParentOf(entry.path()) == parent) children.push_back(std::stoi(name));
  }
  return children;
}

// -1 when the process is no rank (mpirun itself, a daemon) or is gone.
int RankOf(pid_t process) {
  constexpr std::string_view kName = "OMPI_COMM_WORLD_RANK=";
  std::istringstream environment(ReadFile("/proc/" + std::to_string(process) + "/environ"));
  for (std::string entry; std::getline(environment, entry, '\0');) {
    if (entry.starts_with(kName)) return std::stoi(entry.substr(kName.size()));
  }
  return -1;
}

// The programs of this process that have not been waited for.
std::set<pid_t>& Programs() {
  static std::set<pid_t> programs;
  return programs;
}

int OpenProcess(pid_t process) { return static_cast<int>(syscall(SYS_pidfd_open, process, 0)); }

// True when the process has ended within this time.
bool HasEnded(int descriptor, std::chrono::microseconds time) {
  pollfd wait = {descriptor, POLLIN, 0};
  const timespec patience = {time.count() / 1'000'000, time.count() % 1'000'000 * 1000};
  return ppoll(&wait, 1, &patience, nullptr) > 0;
}

// Waits for what programs that have ended have left to us, their subreaper: ranks of an mpirun that
// was killed.
void WaitForOrphans() {
  constexpr auto kPatience = std::chrono::seconds(20);
  for (const pid_t child : ChildrenOf(getpid())) {
    if (Programs().contains(child)) continue;
    const int descriptor = OpenProcess(child);
    if (!HasEnded(descriptor, kPatience)) {
      ADD_FAILURE() << "process " << child << " still runs long after its program";
      kill(child, SIGKILL);
    }
    close(descriptor);
    waitpid(child, nullptr, 0);
  }
}

std::vector<std::string> CommandLine(const Launch& launch) {
  std::vector<std::string> words = launch.wrapper;
  if (launch.ranks > 0) {
    words.insert(words.end(), {LOCKSTEP_MPIRUN, "-n", std::to_string(launch.ranks)});
    words.insert(words.end(), {"--oversubscribe", "--bind-to", "none"});
    words.insert(words.end(), launch.mpirun_arguments.begin(), launch.mpirun_arguments.end());
  }
  words.push_back(LOCKSTEP_PROGRAM);
  words.insert(words.end(), launch.arguments.begin(), launch.arguments.end());
  return words;
}

std::map<std::string, std::string> Environment(const Launch& launch) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  // What a test under mpiexec would hand on to a program that is a job of its own.
  std::erase_if(all, [](const auto& entry) {
    return entry.first.starts_with("PMIX_") || entry.first.starts_with("OMPI_COMM_WORLD_");
  });
  all["OMPI_ALLOW_RUN_AS_ROOT"] = all["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
  all["OMP_NUM_THREADS"] = "1";
  // What a killed job leaves goes with the test's folder.
  all["TMPDIR"] = (launch.folder / "tmp").string();
  all["OMPI_MCA_btl_vader_backing_directory"] = all["TMPDIR"];
  // The ranks are on this host: looking for fast networks takes half of what a short run does.
  all["OMPI_MCA_pml"] = "ob1";
  for (const auto& [name, value] : launch.environment) all[name] = value;
  return all;
}

// Does not return. Only what is safe after fork.
[[noreturn]] void Execute(const fs::path& folder, int out, int err, char** words, char** names) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // a test that its time limit ends takes the job with it
  if (chdir(folder.c_str()) == 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execvpe(words[0], words, names);
  }
  _exit(127);
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::vector<std::string> Outcome::Errors() const {
  std::vector<std::string> errors;
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("lockstep: error")) errors.push_back(line);
  }
  return errors;
}

Program::Program(Launch launch)
    : launch_(std::move(launch)),
      deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                   std::chrono::duration<double>(launch_.limit_seconds))),
      out_(memfd_create("out", MFD_CLOEXEC)),
      err_(memfd_create("err", MFD_CLOEXEC)) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  fs::create_directories(launch_.folder / "tmp");
  std::vector<std::string> words = CommandLine(launch_), names;
  for (const auto& [name, value] : Environment(launch_)) names.push_back(name + "=" + value);
  const std::vector<char*> word_pointers = Pointers(words), name_pointers = Pointers(names);
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("no child process");
  if (process_ == 0) {
    Execute(launch_.folder, out_, err_, const_cast<char**>(word_pointers.data()),
            const_cast<char**>(name_pointers.data()));
  }
  Programs().insert(process_);
  process_descriptor_ = OpenProcess(process_);
  if (process_descriptor_ < 0) throw std::runtime_error("no descriptor of the child process");
}

Program::~Program() {
  if (!ended_) KillAll();
  close(process_descriptor_);
  close(out_);
  close(err_);
}

// True when the process has ended.
bool Program::Poll(std::chrono::microseconds time) {
  if (ended_) return true;
  if (HasEnded(process_descriptor_, time)) Collect();
  return ended_;
}

void Program::Collect() {
  int status = 0;
  rusage usage = {};
  wait4(process_, &status, 0, &usage);
  peak_bytes_ = usage.ru_maxrss * 1024;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ended_ = true;
  Programs().erase(process_);
  WaitForOrphans();
}

// Ranks are in process groups of their own: the group of mpirun would not be enough.
void Program::KillAll() {
  std::vector<pid_t> all = {process_};
  for (size_t i = 0; i < all.size(); ++i) {
    const std::vector<pid_t> children = ChildrenOf(all[i]);
    all.insert(all.end(), children.begin(), children.end());
  }
  for (const pid_t process : all) kill(process, SIGKILL);
  Collect();
}

bool Program::WaitFor(const std::function<bool()>& condition) {
  while (!condition()) {
    if (Poll(kTick)) return false;
    if (!Expired()) continue;
    KillAll();
    ADD_FAILURE() << "after " << launch_.limit_seconds << " s still not there:\n" << ReadAll(err_);
    return false;
  }
  return true;
}

void Program::LetRun(std::chrono::microseconds time) { Poll(time); }

void Program::Signal(int signal) {
  if (!Poll({})) kill(process_, signal);
}

void Program::SignalRank(int rank, int signal) {
  if (Poll({})) return;
  if (launch_.ranks == 0) return Signal(signal);
  for (const pid_t child : ChildrenOf(process_)) {
    if (RankOf(child) == rank) kill(child, signal);
  }
}

void Program::SignalRanks(int signal) {
  if (Poll({})) return;
  for (const pid_t rank : Ranks()) kill(rank, signal);
}

std::vector<pid_t> Program::Ranks() const {
  if (launch_.ranks == 0) return {process_};
  std::vector<pid_t> ranks = ChildrenOf(process_);
  std::erase_if(ranks, [](pid_t child) { return RankOf(child) < 0; });
  return ranks;
}

int Program::ThreadsOfRank(int rank) const {
  for (const pid_t process : Ranks()) {
    if (launch_.ranks > 0 && RankOf(process) != rank) continue;
    std::error_code error;
    const fs::directory_iterator threads("/proc/" + std::to_string(process) + "/task", error);
    return static_cast<int>(std::distance(begin(threads), end(threads)));
  }
  return 0;
}

std::string Program::ErrSoFar() const { return ReadAll(err_); }

Outcome Program::Wait() {
  WaitFor([] { return false; });
  return {status_, ReadAll(out_), ReadAll(err_), peak_bytes_};
}

Outcome RunProgram(const Launch& launch) { return Program(launch).Wait(); }

void ExpectOneError(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  const std::vector<std::string> errors = outcome.Errors();
  ASSERT_EQ(errors.size(), 1u) << outcome.err;
  for (const std::string& part : parts) {
    EXPECT_NE(errors[0].find(part), std::string::npos) << "no \"" << part << "\" in: " << errors[0];
  }
}

}  // namespace lockstep::trainer
