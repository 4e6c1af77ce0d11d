#include "tests/trainer/tasks/text_metrics/golden.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

namespace lockstep::trainer {

const nlohmann::json& TextMetricsGolden() {
  static const nlohmann::json golden = [] {
    const char* other = std::getenv("LOCKSTEP_TEXT_METRICS_GOLDEN");
    const std::string path = other != nullptr ? other : LOCKSTEP_TEXT_METRICS_GOLDEN_FILE;
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    return nlohmann::json::parse(file);
  }();
  return golden;
}

}  // namespace lockstep::trainer
