#include <cstdio>

#include <fmt/format.h>

#include "proto/run_config.h"
#include "trainer/commands.h"

namespace lockstep::trainer {

ExitStatus PrintConfiguration() {
  fmt::print("{}", proto::PrintAnnotatedDefaults());
  return kDone;
}

}  // namespace lockstep::trainer
