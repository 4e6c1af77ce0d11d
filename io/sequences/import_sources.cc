#include "io/sequences/import_sources.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/errors.h"
#include "io/text/text_files.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStandardInput = "-";

// How many parallel files the form may have.
std::vector<size_t> ParallelFiles(SequenceForm form) {
  if (form == SequenceForm::kTags) return {2, 3};
  if (form == SequenceForm::kPairs) return {2};
  return {};
}

std::vector<fs::path> SplitAtCommas(const std::string& given) {
  std::vector<fs::path> files;
  for (size_t begin = 0; begin <= given.size();) {
    const size_t end = std::min(given.find(',', begin), given.size());
    files.emplace_back(given.substr(begin, end - begin));
    begin = end + 1;
  }
  return files;
}

ImportSource MakeSource(const SequenceImportOptions& options, const std::string& given, int part) {
  ImportSource source{part, {given}};
  const std::vector<size_t> counts = ParallelFiles(options.form);
  std::error_code missing;
  if (!counts.empty() && given != kStandardInput && !fs::exists(given, missing) &&
      given.find(',') != std::string::npos) {
    source.files = SplitAtCommas(given);
    if (std::ranges::find(counts, source.files.size()) == counts.end()) {
      throw InputError(fmt::format(
          "{} names {} files. Name {} with a comma between them, or one file.", given,
          source.files.size(),
          options.form == SequenceForm::kTags ? "tokens and tags, or tokens, tags and labels,"
                                              : "source and target"));
    }
  }
  for (const fs::path& file : source.files) {
    if (file == kStandardInput || fs::is_directory(file, missing)) continue;
    // Says what is wrong with it.
    if (ListTextFiles({file}, options.output).empty()) {
      throw InputError(fmt::format("{} is the dataset to write, not a source", file.string()));
    }
  }
  return source;
}

// As they were given.
std::string NamesOf(const ImportSource& source) {
  std::string names;
  for (const fs::path& file : source.files) names += (names.empty() ? "" : ",") + file.string();
  return names;
}

}  // namespace

std::vector<ImportSource> ListSources(const SequenceImportOptions& options) {
  const bool named = !options.train.empty() || !options.validation.empty() || !options.test.empty();
  if (named == !options.paths.empty()) {
    throw InputError(
        "name the files that --split cuts, or --train and, if there are any, --validation and "
        "--test; not both");
  }
  if (named && options.train.empty()) {
    throw InputError("there is nothing to train on. Name it with --train.");
  }
  if (!named) CheckSplitShares(options.split);
  std::vector<ImportSource> sources;
  for (const std::string& given : options.paths) {
    sources.push_back(MakeSource(options, given, ImportSource::kByShares));
  }
  int part = 0;
  for (const auto* given : {&options.train, &options.validation, &options.test}) {
    for (const std::string& one : *given) sources.push_back(MakeSource(options, one, part));
    ++part;
  }
  for (const ImportSource& source : sources) {
    const bool has_label = source.files.size() == 3;
    if (has_label != (sources.front().files.size() == 3)) {
      throw InputError(fmt::format("{} {} a file of labels and {} {}. All must have one, or none.",
                                   NamesOf(source), has_label ? "has" : "lacks",
                                   NamesOf(sources.front()), has_label ? "lacks it" : "has it"));
    }
  }
  return sources;
}

}  // namespace lockstep::io
