#include "io/checkpoints/checkpoint_folder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/files/file_format.h"
#include "io/files/publish.h"
#include "io/files/seal.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".h5";
constexpr char kBestName[] = "best.h5";
// As much as a save reads and writes, or so.
constexpr int kMostReads = 4;

std::string NameOfStep(int64_t step) { return fmt::format("{}{:012}{}", kPrefix, step, kSuffix); }

// Of a name that NameOfStep makes: no other file is ours.
std::optional<int64_t> StepOfName(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const char* begin = name.data() + kPrefix.size();
  const char* end = name.data() + name.size() - kSuffix.size();
  int64_t step = 0;
  const auto [rest, error] = std::from_chars(begin, end, step);
  if (error != std::errc() || rest != end || step < 0 || NameOfStep(step) != name) {
    return std::nullopt;
  }
  return step;
}

// Where best.h5 stands among the step checkpoints; last when its seal does not say.
int64_t SealedStep(const fs::path& path) {
  try {
    return ReadSeal(path).step;
  } catch (const InputError&) {
    return -1;
  } catch (const SystemError&) {
    return -1;
  }
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path folder) : folder_(std::move(folder)) {}

fs::path CheckpointFolder::StepPath(int64_t step) const { return folder_ / NameOfStep(step); }

fs::path CheckpointFolder::BestPath() const { return folder_ / kBestName; }

// Highest step first. None when the folder is missing.
std::vector<CheckpointFolder::StepFile> CheckpointFolder::StepFiles(const fs::path& folder) {
  std::vector<StepFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::optional<int64_t> step = StepOfName(entry->path().filename().string());
    if (step) files.push_back({*step, entry->path()});
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    ThrowReadFailure(folder, error.value());
  }
  std::ranges::sort(files, std::ranges::greater(), &StepFile::step);
  return files;
}

std::optional<fs::path> CheckpointFolder::LoadNewest(const Load& load,
                                                     std::vector<std::string>* passed_over) const {
  std::vector<StepFile> candidates = StepFiles(folder_);
  std::error_code ignored;
  if (fs::exists(BestPath(), ignored)) {
    const StepFile best = {SealedStep(BestPath()), BestPath()};
    candidates.insert(
        std::ranges::upper_bound(candidates, best.step, std::ranges::greater(), &StepFile::step),
        best);
  }
  for (const StepFile& candidate : candidates) {
    // A failing disk is passed over, too: an older checkpoint is better than none.
    try {
      const CheckpointReader checkpoint(candidate.path);
      if (checkpoint.header().step == candidate.step) {
        load(checkpoint);
        return candidate.path;
      }
      passed_over->push_back(fmt::format("{} holds step {}, which is not the step of its name",
                                         candidate.path.string(), checkpoint.header().step));
    } catch (const InputError& error) {
      passed_over->push_back(error.what());
    } catch (const SystemError& error) {
      passed_over->push_back(error.what());
    }
  }
  return std::nullopt;
}

fs::path CheckpointFolder::StepFileUpTo(int64_t step) const {
  for (const StepFile& file : StepFiles(folder_)) {
    if (file.step <= step) return file.path;
  }
  return {};
}

CheckpointFolder::Condition CheckpointFolder::Seen(const StepFile& file) const {
  const auto seen = seen_.find(file.step);
  if (seen == seen_.end()) return Condition::kUnread;
  std::error_code error;
  const fs::file_time_type written = fs::last_write_time(file.path, error);
  return !error && seen->second.written == written ? seen->second.condition : Condition::kUnread;
}

void CheckpointFolder::Remember(const StepFile& file, Condition condition) {
  std::error_code error;
  const fs::file_time_type written = fs::last_write_time(file.path, error);
  if (!error) seen_[file.step] = {condition, written};
}

void CheckpointFolder::Read(const StepFile& file) {
  Remember(file, Condition::kDamaged);  // before it is read, so that it holds an older time
  try {
    const Seal seal = VerifyFile(file.path);
    RequireFormat(file.path, seal, kCheckpointFormat);
    if (seal.step == file.step) seen_[file.step].condition = Condition::kWhole;
  } catch (const InputError&) {
  } catch (const SystemError&) {
  }
}

// Of `files`, highest step first: how many of the first ones hold `keep` that are not known to be
// damaged.
size_t CheckpointFolder::CountKept(const std::vector<StepFile>& files, int keep) const {
  size_t count = 0;
  for (int whole = 0; count < files.size() && whole < keep; ++count) {
    if (Seen(files[count]) != Condition::kDamaged) ++whole;
  }
  return count;
}

// From the oldest that stays towards the newest: the one that is next to be the last resort is read
// first.
std::vector<std::string> CheckpointFolder::Prune(int keep, int64_t newest) {
  if (keep < 1) throw std::invalid_argument("at least one checkpoint must be kept");
  std::vector<StepFile> files = StepFiles(folder_);
  std::erase_if(files, [&](const StepFile& file) { return file.step > newest; });
  // It was read back when it was published.
  Remember({newest, StepPath(newest)}, Condition::kWhole);
  size_t kept = CountKept(files, keep);
  for (int reads = 0; kept < files.size() && reads < kMostReads; ++reads) {
    size_t last = kept;
    while (last > 0 && Seen(files[last - 1]) != Condition::kUnread) --last;
    if (last == 0) break;
    Read(files[last - 1]);
    kept = CountKept(files, keep);
  }
  // Only what stands behind a whole one goes.
  if (kept > 0 && Seen(files[kept - 1]) == Condition::kUnread) return {};
  std::vector<std::string> problems;
  for (const StepFile& file : std::span(files).subspan(kept)) {
    seen_.erase(file.step);
    if (::unlink(file.path.c_str()) != 0 && errno != ENOENT) {
      problems.push_back(fmt::format("cannot remove the old checkpoint {}: {}", file.path.string(),
                                     std::generic_category().message(errno)));
    }
  }
  return problems;
}

bool CheckpointFolder::LinkStepToBest(int64_t step) const {
  return PublishLink(BestPath(), StepPath(step));
}

void CheckpointFolder::RemoveLeftovers() const {
  RemoveNewFiles(folder_,
                 [](std::string_view name) { return name == kBestName || StepOfName(name); });
}

void CheckpointFolder::RemoveAll() const {
  RemoveLeftovers();
  for (const StepFile& file : StepFiles(folder_)) {
    if (::unlink(file.path.c_str()) != 0 && errno != ENOENT) ThrowWriteFailure(file.path, errno);
  }
}

std::vector<fs::path> CheckpointFolder::SetAsideBeyond(int64_t step) const {
  std::vector<fs::path> aside;
  for (const StepFile& file : StepFiles(folder_)) {
    if (file.step <= step) break;
    fs::path name = file.path.string() + ".passed-over";
    std::error_code ignored;
    for (int number = 2; fs::exists(name, ignored); ++number) {
      name = fmt::format("{}.passed-over-{}", file.path.string(), number);
    }
    if (std::rename(file.path.c_str(), name.c_str()) != 0) ThrowWriteFailure(file.path, errno);
    aside.push_back(name);
  }
  return aside;
}

}  // namespace lockstep::io
