#include <algorithm>

#include <fmt/format.h>

#include "trainer/commands/commands.h"
#include "trainer/commands/import_progress.h"
#include "trainer/ranks/rank_threads.h"

namespace lockstep::trainer {
namespace {

const char* PassName(int pass) {
  return pass == 0 ? "measuring" : pass == 1 ? "counting" : "writing";
}

}  // namespace

ExitStatus ImportText(const ImportArguments& arguments) {
  Console console(false, arguments.progress);
  ImportProgress progress(console);
  int first_pass = -1;
  const auto passes_before = [&](int pass) {
    if (first_pass < 0) first_pass = pass;
    return static_cast<uint64_t>(pass - first_pass);
  };
  const auto show = [&](const io::TextImportProgress& p) {
    const std::string line = fmt::format(
        "{} {:.0f}%  {:.0f} of {:.0f} MB  {} tokens  {:.0f} MB/s", PassName(p.pass),
        100.0 * static_cast<double>(p.bytes_done) /
            static_cast<double>(std::max<uint64_t>(1, p.bytes_total)),
        static_cast<double>(p.bytes_done) / 1e6, static_cast<double>(p.bytes_total) / 1e6, p.tokens,
        static_cast<double>(p.bytes_done + passes_before(p.pass) * p.bytes_total) / 1e6 /
            std::max(1e-9, progress.seconds()));
    progress.Show(line);
  };
  io::TextImportOptions options = arguments.options;
  options.threads = arguments.threads > 0 ? arguments.threads : ThreadsAlone();
  const io::TextImportResult result = io::ImportText(options, show);
  console.EndLive();
  console.Info(fmt::format(
      "{}: {} tokens ({}) from {} file(s), {:.1f} MB, in {:.1f} s; vocabulary {}; fingerprint {}",
      arguments.options.output.string(), result.tokens, io::TokenKindName(result.kind),
      result.files, static_cast<double>(result.bytes) / 1e6, progress.seconds(),
      result.vocabulary_size, result.fingerprint));
  console.Info(fmt::format("{} tokens to train on, {} to validate, {} to test",
                           result.split_tokens[0], result.split_tokens[1], result.split_tokens[2]));
  if (result.kind == io::TokenKind::kSubword) {
    console.Info(fmt::format("{} merges of characters into pieces", result.merges));
  }
  if (result.unknown_tokens > 0) {
    console.Info(fmt::format(
        "{} tokens ({:.2f}%) are outside the vocabulary and stand as <unk>", result.unknown_tokens,
        100.0 * static_cast<double>(result.unknown_tokens) / static_cast<double>(result.tokens)));
  }
  if (result.replaced > 0) {
    console.Warn(fmt::format("{} wrong byte sequences became U+FFFD", result.replaced));
  }
  return kDone;
}

}  // namespace lockstep::trainer
