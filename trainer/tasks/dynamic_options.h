#ifndef LOCKSTEP_TRAINER_TASKS_DYNAMIC_OPTIONS_H_
#define LOCKSTEP_TRAINER_TASKS_DYNAMIC_OPTIONS_H_

#include <cstdint>

namespace lockstep::trainer {

/// How a language model goes on learning while it is measured: see DynamicEvaluation.
struct DynamicOptions {
  double rate = 0.0;     ///< 0: it does not
  double decay = 0.002;  ///< how far a weight goes back towards the checkpoint's, each time
  int64_t segment = 20;  ///< tokens that are measured before it learns from them

  bool on() const { return rate > 0.0; }
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_DYNAMIC_OPTIONS_H_
