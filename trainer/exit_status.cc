#include "trainer/exit_status.h"

#include "io/errors.h"
#include "proto/run_config.h"
#include "trainer/ranks/communicator.h"

namespace lockstep::trainer {

ExitStatus StatusOf(const std::exception& error) {
  if (const auto* agreed = dynamic_cast<const AgreedError*>(&error)) return agreed->status();
  if (dynamic_cast<const UsageError*>(&error) || dynamic_cast<const io::InputError*>(&error) ||
      dynamic_cast<const proto::ConfigError*>(&error)) {
    return kWrongInput;
  }
  return kFailed;
}

}  // namespace lockstep::trainer
