#include "tests/worker/golden.h"

#include <fstream>
#include <stdexcept>

namespace lockstep::worker {

const nlohmann::json& Golden() {
  static const nlohmann::json golden = [] {
    std::ifstream file(LOCKSTEP_GOLDEN_FILE);
    if (!file) throw std::runtime_error("cannot read " LOCKSTEP_GOLDEN_FILE);
    return nlohmann::json::parse(file);
  }();
  return golden;
}

}  // namespace lockstep::worker
