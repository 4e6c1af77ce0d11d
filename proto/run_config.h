#ifndef LOCKSTEP_PROTO_RUN_CONFIG_H_
#define LOCKSTEP_PROTO_RUN_CONFIG_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "proto/run_config.pb.h"

namespace lockstep::proto {

/// A run configuration that cannot be read or is not valid. The message names the file and line or
/// the --set argument, the field, its value and what is allowed; an unknown name is answered with
/// the nearest known one.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Reads a run configuration in Protobuf's text format, applies `overrides`
/// ("optimizer.learning_rate=0.001", "optimizer.adamw={}", "model.cell=GRU") in order, and
/// validates the result. Throws ConfigError.
RunConfig LoadRunConfig(const std::filesystem::path& path, std::span<const std::string> overrides);

/// The same from text that is at hand (`origin` names it in messages).
RunConfig ParseRunConfig(const std::string& text, const std::string& origin,
                         std::span<const std::string> overrides = {});

/// Throws ConfigError for the first field whose value is outside what the schema allows.
void ValidateRunConfig(const RunConfig& config);

/// The numbers of task.language_model.softmax_cutoffs; empty where there are none. ConfigError
/// where they are no rising numbers from 1 on.
std::vector<int64_t> SoftmaxCutoffs(const LanguageModel& task);

/// The complete configuration, every field with its value (defaults filled in), as text that
/// ParseRunConfig reads back to an equal configuration. The same configuration gives the same
/// bytes.
std::string PrintRunConfig(const RunConfig& config);

/// The default configuration, complete and valid, each field under its comment from the schema
/// (meaning, unit, range, default).
std::string PrintAnnotatedDefaults();

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_RUN_CONFIG_H_
