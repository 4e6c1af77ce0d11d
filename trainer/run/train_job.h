#ifndef LOCKSTEP_TRAINER_RUN_TRAIN_JOB_H_
#define LOCKSTEP_TRAINER_RUN_TRAIN_JOB_H_

#include <filesystem>
#include <string>
#include <vector>

#include "trainer/exit_status.h"
#include "trainer/ranks/communicator.h"
#include "trainer/terminal/console.h"

namespace lockstep::trainer {

struct TrainArguments {
  std::filesystem::path configuration;
  std::vector<std::string> overrides;  ///< of --set
  std::string resume = "auto";         ///< auto, never or a checkpoint
  std::filesystem::path start_from;    ///< what a new run begins with; empty: with nothing
  Console::Mode progress = Console::Mode::kAuto;
};

/// Collective. `lockstep train`: sets everything up, trains, and tells how it went. kDone or
/// kStopped; anything else is thrown.
ExitStatus Train(Communicator& communicator, const TrainArguments& arguments);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_TRAIN_JOB_H_
