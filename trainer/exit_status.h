#ifndef LOCKSTEP_TRAINER_EXIT_STATUS_H_
#define LOCKSTEP_TRAINER_EXIT_STATUS_H_

#include <exception>
#include <stdexcept>

namespace lockstep::trainer {

/// What the program ends with; a promise to batch scripts.
enum ExitStatus : int {
  kDone = 0,
  kFailed = 1,      ///< anything that is not below: full disk, lost rank, defect
  kWrongInput = 2,  ///< flags, configuration or data are wrong
  kDiverged = 3,    ///< loss or gradient are no longer numbers, or the loss stays hopeless
  /// Start me again (EX_TEMPFAIL): stopped by a signal with a checkpoint saved, or another job held
  /// the run folder for too long.
  kStopped = 75,
};

/// The user's flags or files do not fit together. The message says what, where and what to do.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The exit status that an exception of any folder stands for.
ExitStatus StatusOf(const std::exception& error);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_EXIT_STATUS_H_
