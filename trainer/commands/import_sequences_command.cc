#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "trainer/commands/commands.h"
#include "trainer/commands/import_progress.h"

namespace lockstep::trainer {
namespace {

using Kind = io::SequenceField::Kind;
using Result = io::SequenceImportResult;

constexpr size_t kMostNames = 12;
constexpr const char* kPartNames[] = {"train", "validation", "test"};

double Percent(uint64_t part, uint64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<uint64_t>(whole, 1));
}

// "text: 51,899 tokens (word), ...".
std::string DescribeTokens(const Result& result, size_t field) {
  uint64_t tokens = 0;
  std::string unknown;
  for (int part = 0; part < 3; ++part) {
    const Result::Part& one = result.parts[part];
    tokens += one.tokens[field];
    if (one.examples == 0) continue;
    unknown += fmt::format("{}{} {:.2f}%", unknown.empty() ? "" : ", ", kPartNames[part],
                           Percent(one.unknown[field], one.tokens[field]));
  }
  const io::SequenceField& described = result.fields[field];
  return fmt::format(
      "{}: {} tokens ({}), vocabulary {}; unknown: {}; length {:.1f} on average, {} at most",
      described.name, tokens, io::TokenKindName(described.vocabulary.kind()),
      described.vocabulary.size(), unknown,
      static_cast<double>(tokens) / static_cast<double>(result.examples()), result.longest[field]);
}

// "label: 22 names: atis_flight 4298, ...", the most frequent first.
std::string DescribeNames(const Result& result, size_t field) {
  const io::SequenceField& described = result.fields[field];
  std::vector<uint64_t> counts(described.names.size());
  for (const Result::Part& part : result.parts) {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += part.name_counts[field][i];
  }
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return counts[a] > counts[b]; });
  std::string line = fmt::format("{}: {} different", described.name, counts.size());
  for (size_t i = 0; i < std::min(order.size(), kMostNames); ++i) {
    line +=
        fmt::format("{} {} {}", i == 0 ? ":" : ",", described.names[order[i]], counts[order[i]]);
  }
  return line + (order.size() > kMostNames ? ", ..." : "");
}

void Report(Console& console, const io::SequenceImportOptions& options, const Result& result,
            double seconds) {
  console.Info(fmt::format(
      "{}: {} examples of {} from {} file(s), {:.1f} MB, in {:.1f} s; train {}, validation {}, "
      "test {}; fingerprint {}",
      options.output.string(), result.examples(), io::SequenceFormName(options.form), result.files,
      static_cast<double>(result.bytes) / 1e6, seconds, result.parts[0].examples,
      result.parts[1].examples, result.parts[2].examples, result.fingerprint));
  for (size_t i = 0; i < result.fields.size(); ++i) {
    switch (result.fields[i].kind) {
      case Kind::kTokens:
        console.Info(DescribeTokens(result, i));
        break;
      case Kind::kVector:
        console.Info(
            fmt::format("{}: {} numbers", result.fields[i].name, result.fields[i].names.size()));
        break;
      default:
        console.Info(DescribeNames(result, i));
    }
  }
  if (result.left_out_empty > 0) {
    console.Info(fmt::format("{} examples without any token are left out", result.left_out_empty));
  }
  if (result.left_out_long > 0) {
    console.Info(fmt::format("{} examples of more than {} tokens are left out",
                             result.left_out_long, options.longest));
  }
  for (const std::string& note : result.notes) console.Info(note);
  for (const std::string& warning : result.warnings) console.Warn(warning);
  if (result.replaced > 0) {
    console.Warn(fmt::format("{} wrong byte sequences became U+FFFD", result.replaced));
  }
}

}  // namespace

ExitStatus ImportSequences(const ImportSequencesArguments& arguments) {
  Console console(false, arguments.progress);
  ImportProgress progress(console);
  const auto show = [&](const io::SequenceImportProgress& p) {
    const std::string share = p.total > 0 ? fmt::format(" {:.0f}%", Percent(p.done, p.total)) : "";
    progress.Show(fmt::format("{}{}  {} examples", p.stage, share, p.examples));
  };
  const Result result = io::ImportSequences(arguments.options, show);
  console.EndLive();
  Report(console, arguments.options, result, progress.seconds());
  return kDone;
}

}  // namespace lockstep::trainer
