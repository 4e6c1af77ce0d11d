#include "tests/trainer/small_run.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

constexpr std::string_view kConfiguration = R"(
optimizer  { adam { }  learning_rate: 0.01  schedule { cosine { }  warmup_steps: 5 } }
training   { folder: "runs/small"  steps: 60  seed: 3  threads: 1 }
evaluation { every_steps: 20 }
checkpoint { every_steps: 10  every_minutes: 0  keep: 3 }
)";

// Of the two JSON numbers, the bits: NaN does not occur, -0 and 0 differ.
uint64_t Bits(const nlohmann::json& number) {
  return std::bit_cast<uint64_t>(number.get<double>());
}

bool IsSpeed(const std::string& name) { return name.ends_with("_per_second"); }

template <typename Value>
std::map<std::string, Value> WithoutSpeed(std::map<std::string, Value> values) {
  std::erase_if(values, [](const auto& entry) { return IsSpeed(entry.first); });
  return values;
}

}  // namespace

SmallRun::SmallRun(const TaskCase& task) : settings_(task.settings) {
  folder_.Write("run.textproto", task.configuration + std::string(kConfiguration));
  for (const auto& [name, text] : task.files) folder_.Write(name, text);
  const Outcome outcome = Import(task.source, "corpus.h5", task.tokens, task.import);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
}

Launch SmallRun::Command(std::vector<std::string> arguments, int ranks) const {
  Launch launch;
  launch.arguments = std::move(arguments);
  launch.ranks = ranks;
  launch.folder = folder_.path();
  return launch;
}

Launch SmallRun::Train(const std::string& name, int ranks, const Settings& settings) const {
  std::vector<std::string> arguments = {"train", "run.textproto"};
  for (const std::string& setting : Settings{"training.folder=" + name} + settings_ + settings) {
    arguments.insert(arguments.end(), {"--set", setting});
  }
  return Command(std::move(arguments), ranks);
}

void SmallRun::TrainToTheEnd(const std::string& name, int ranks, const Settings& settings) const {
  const Outcome outcome = RunProgram(Train(name, ranks, settings));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
}

Outcome SmallRun::Import(const std::string& text, const std::string& dataset,
                         const std::vector<std::string>& flags,
                         const std::vector<std::string>& importer) const {
  std::vector<std::string> arguments = {"import"};
  arguments.insert(arguments.end(), importer.begin(), importer.end());
  arguments.insert(arguments.end(), {"--output", dataset});
  if (std::ranges::find(importer, "--train") == importer.end()) {
    folder_.Write(dataset + ".txt", text);
    arguments.push_back(dataset + ".txt");
  }
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return RunProgram(Command(std::move(arguments)));
}

std::vector<nlohmann::json> SmallRun::Metrics(const std::string& name) const {
  std::vector<nlohmann::json> lines;
  std::ifstream file(folder_ / (name + "/metrics.jsonl"));
  for (std::string line; std::getline(file, line) && !file.eof();) {
    lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

int64_t SmallRun::LastStep(const std::string& name) const {
  constexpr std::string_view kBegin = "{\"step\":";
  constexpr std::streamoff kTailBytes = 2000;  // several lines
  std::ifstream file(folder_ / (name + "/metrics.jsonl"), std::ios::binary | std::ios::ate);
  if (!file) return 0;
  file.seekg(std::max<std::streamoff>(0, static_cast<std::streamoff>(file.tellg()) - kTailBytes));
  std::string tail(kTailBytes, '\0');
  file.read(tail.data(), kTailBytes);
  tail.resize(static_cast<size_t>(file.gcount()));
  const size_t end = tail.rfind('\n');
  if (end == tail.npos) return 0;
  return std::stoll(tail.substr(tail.rfind(kBegin, end) + kBegin.size()));
}

std::filesystem::path SmallRun::CheckpointPath(const std::string& name, int64_t step) const {
  return folder_ / fmt::format("{}/checkpoints/step-{:012}.h5", name, step);
}

std::filesystem::path SmallRun::BestPath(const std::string& name) const {
  return folder_ / (name + "/checkpoints/best.h5");
}

Settings SlowSteps() {
  return {"model.hidden_size=64", "model.embedding_size=32", "training.accumulate_batches=12",
          "evaluation.every_steps=10"};
}

Settings operator+(Settings left, const Settings& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

void ExpectSameMetrics(const std::vector<nlohmann::json>& a, const std::vector<nlohmann::json>& b,
                       int64_t steps) {
  ASSERT_EQ(std::ssize(a), steps);
  ASSERT_EQ(std::ssize(b), steps);
  for (int64_t i = 0; i < steps; ++i) {
    ASSERT_EQ(a[i].at("step"), i + 1);
    ASSERT_EQ(a[i].size(), b[i].size()) << a[i] << "\n" << b[i];
    for (const auto& [key, value] : a[i].items()) {
      if (IsSpeed(key)) continue;
      ASSERT_EQ(Bits(value), Bits(b[i].at(key))) << a[i] << "\n" << b[i];
    }
  }
}

void ExpectLossesNear(const std::vector<nlohmann::json>& a, const std::vector<nlohmann::json>& b,
                      int64_t steps, double tolerance) {
  ASSERT_EQ(std::ssize(a), steps);
  ASSERT_EQ(std::ssize(b), steps);
  for (int64_t i = 0; i < steps; ++i) {
    ASSERT_EQ(b[i].at("step"), i + 1);
    for (const char* key : {"loss", "validation_loss"}) {
      ASSERT_EQ(a[i].contains(key), b[i].contains(key)) << a[i] << "\n" << b[i];
      if (!a[i].contains(key)) continue;
      const double expected = a[i].at(key);
      ASSERT_NEAR(b[i].at(key).get<double>(), expected,
                  tolerance * std::max(0.1, std::abs(expected)))
          << key << " of step " << i + 1;
    }
  }
}

void ExpectSameCheckpoints(const std::filesystem::path& a, const std::filesystem::path& b) {
  const io::Checkpoint first = io::ReadCheckpoint(a), second = io::ReadCheckpoint(b);
  EXPECT_EQ(first.header.step, second.header.step);
  EXPECT_EQ(first.header.counters, second.header.counters);
  const auto x = WithoutSpeed(first.header.measures), y = WithoutSpeed(second.header.measures);
  ASSERT_EQ(x.size(), y.size());
  for (const auto& [name, value] : x) {
    EXPECT_EQ(std::bit_cast<uint64_t>(value), std::bit_cast<uint64_t>(y.at(name))) << name;
  }
  ASSERT_EQ(first.tensors.size(), second.tensors.size());
  EXPECT_GE(first.tensors.size(), 3u);
  for (size_t i = 0; i < first.tensors.size(); ++i) {
    const io::Tensor &s = first.tensors[i], &t = second.tensors[i];
    ASSERT_EQ(s.name, t.name);
    ASSERT_EQ(s.values.size(), t.values.size());
    EXPECT_EQ(std::memcmp(s.values.data(), t.values.data(), s.values.size() * sizeof(float)), 0)
        << s.name;
  }
}

}  // namespace lockstep::trainer
