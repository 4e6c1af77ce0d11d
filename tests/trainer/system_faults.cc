// Loaded before the C library (LD_PRELOAD): what the system does to the program is chosen by the
// environment.
//   FAULT_FLOCK   flock fails with this error number, as on a file system without locks
//   FAULT_KILL_AT rename or rmdir of a path below runs/: the process is killed before the n-th
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <signal.h>

namespace {

long Number(const char* name) {
  const char* text = getenv(name);
  return text != nullptr ? std::atol(text) : 0;
}

void KillWhenItIsTime(const char* path) {
  static long count = 0;
  if (std::strstr(path, "runs/") == nullptr) return;
  if (++count == Number("FAULT_KILL_AT")) raise(SIGKILL);
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int flock(int descriptor, int operation) {
  if (const long error = Number("FAULT_FLOCK"); error != 0) {
    errno = static_cast<int>(error);
    return -1;
  }
  return Real<int(int, int)>("flock")(descriptor, operation);
}

extern "C" int rename(const char* from, const char* to) noexcept {
  KillWhenItIsTime(from);
  return Real<int(const char*, const char*)>("rename")(from, to);
}

extern "C" int rmdir(const char* path) noexcept {
  KillWhenItIsTime(path);
  return Real<int(const char*)>("rmdir")(path);
}
