#include "tests/worker/golden.h"

#include <fstream>
#include <stdexcept>
#include <string>

namespace lockstep::worker {

namespace {

nlohmann::json Read(const std::string& name) {
  const std::string path = std::string(LOCKSTEP_GOLDEN_FOLDER) + "/" + name;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  return nlohmann::json::parse(file);
}

}  // namespace

const nlohmann::json& Golden() {
  static const nlohmann::json golden = Read("pytorch.json");
  return golden;
}

const nlohmann::json& GoldenForecasters() {
  static const nlohmann::json golden = Read("pytorch_forecasters.json");
  return golden;
}

const nlohmann::json& GoldenPacked() {
  static const nlohmann::json golden = Read("pytorch_packed.json");
  return golden;
}

const nlohmann::json& GoldenEncoderDecoders() {
  static const nlohmann::json golden = Read("pytorch_encoder_decoders.json");
  return golden;
}

const nlohmann::json& GoldenLabelers() {
  static const nlohmann::json golden = Read("pytorch_labelers.json");
  return golden;
}

const nlohmann::json& GoldenAdaptiveSoftmax() {
  static const nlohmann::json golden = Read("pytorch_adaptive_softmax.json");
  return golden;
}

}  // namespace lockstep::worker
