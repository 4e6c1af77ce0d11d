#include "proto/run_config.h"
#include "trainer/commands/commands.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {

ExitStatus PrintConfiguration() {
  WriteResult(proto::PrintAnnotatedDefaults());
  return kDone;
}

}  // namespace lockstep::trainer
