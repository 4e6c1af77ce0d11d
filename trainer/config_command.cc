#include "proto/run_config.h"
#include "trainer/commands.h"
#include "trainer/output.h"

namespace lockstep::trainer {

ExitStatus PrintConfiguration() {
  WriteResult(proto::PrintAnnotatedDefaults());
  return kDone;
}

}  // namespace lockstep::trainer
