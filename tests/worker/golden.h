#ifndef LOCKSTEP_TESTS_WORKER_GOLDEN_H_
#define LOCKSTEP_TESTS_WORKER_GOLDEN_H_

#include <nlohmann/json.hpp>

namespace lockstep::worker {

/// PyTorch's numbers, golden/pytorch.json; golden/make_golden.py says what is in it. Read once;
/// throws std::runtime_error when the file cannot be read.
const nlohmann::json& Golden();

/// The same of golden/pytorch_forecasters.json and golden/make_golden_forecasters.py.
const nlohmann::json& GoldenForecasters();

/// The same of golden/pytorch_packed.json and golden/make_golden_packed.py.
const nlohmann::json& GoldenPacked();

/// The same of golden/pytorch_encoder_decoders.json and golden/make_golden_encoder_decoders.py.
const nlohmann::json& GoldenEncoderDecoders();

/// The same of golden/pytorch_labelers.json and golden/make_golden_labelers.py.
const nlohmann::json& GoldenLabelers();

/// The same of golden/pytorch_adaptive_softmax.json and golden/make_golden_adaptive_softmax.py.
const nlohmann::json& GoldenAdaptiveSoftmax();

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_GOLDEN_H_
