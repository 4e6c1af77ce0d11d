#include "trainer/ranks/mpi_error.h"

#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <mpi.h>

namespace lockstep::trainer {

void CheckMpi(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error(fmt::format("{} failed: {}", what, std::string(text, length)));
}

}  // namespace lockstep::trainer
