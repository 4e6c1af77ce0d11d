#ifndef LOCKSTEP_TRAINER_RANKS_MPI_ERROR_H_
#define LOCKSTEP_TRAINER_RANKS_MPI_ERROR_H_

namespace lockstep::trainer {

/// std::runtime_error with MPI's text unless `code` is that of success. `what` names the call.
void CheckMpi(int code, const char* what);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_MPI_ERROR_H_
