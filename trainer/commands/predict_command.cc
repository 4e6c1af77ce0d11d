#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "trainer/commands/commands.h"
#include "trainer/data/packed_sequences.h"
#include "trainer/ranks/rank_threads.h"
#include "trainer/ranks/stop_signal.h"
#include "trainer/tasks/prediction.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

// Of one batch, and of all that ranks share out at a time. Batches are cut from the lines alone,
// so that an answer does not depend on the number of ranks.
constexpr size_t kLinesOfBatch = 64;
constexpr size_t kLinesOfBlock = 64 * kLinesOfBatch;
constexpr size_t kBytesOfBlock = size_t{16} << 20;

/// Standard input, line by line.
class InputLines {
 public:
  /// With `each`, what has come is answered before more is waited for.
  explicit InputLines(bool each) : each_(each) {}

  /// The next lines, each with a line feed behind it; empty: there are no more.
  std::string NextBlock() {
    std::string block;
    size_t lines = 0;
    while (lines < kLinesOfBlock && block.size() < kBytesOfBlock) {
      const size_t end = pending_.find('\n', begin_);
      if (end != std::string::npos) {
        block.append(pending_, begin_, end + 1 - begin_);
        begin_ = end + 1;
        ++lines;
        continue;
      }
      if (lines > 0 && each_ && !MoreIsThere()) break;
      if (!Fill()) {  // the last line may have no end
        if (begin_ < pending_.size()) block += pending_.substr(begin_) + "\n";
        begin_ = pending_.size();
        break;
      }
    }
    return block;
  }

 private:
  static bool MoreIsThere() {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    return poll(&input, 1, 0) > 0;
  }

  bool Fill() {
    pending_.erase(0, begin_);
    begin_ = 0;
    char bytes[1 << 16];
    while (true) {
      const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
      if (count > 0) {
        pending_.append(bytes, static_cast<size_t>(count));
        return true;
      }
      if (count == 0) return false;
      if (errno == EINTR && StopSignal() == 0) continue;
      throw std::runtime_error(fmt::format("cannot read standard input: {}", std::strerror(errno)));
    }
  }

  const bool each_;
  std::string pending_;
  size_t begin_ = 0;  // of what is not yet handed out
};

std::vector<InputLine> Split(const std::string& block, int64_t first, bool replace_invalid) {
  std::vector<InputLine> lines;
  for (size_t begin = 0; begin < block.size();) {
    const size_t end = block.find('\n', begin);
    lines.push_back(LineOfInput(block.substr(begin, end - begin),
                                first + static_cast<int64_t>(lines.size()), replace_invalid));
    begin = end + 1;
  }
  return lines;
}

// Every rank takes each R-th batch of lines of about one length.
std::vector<std::vector<int64_t>> BatchesOfRank(const std::vector<InputLine>& lines, int rank,
                                                int ranks) {
  std::vector<uint32_t> lengths;
  for (const InputLine& line : lines) lengths.push_back(static_cast<uint32_t>(line.text.size()));
  const std::vector<int64_t> order = LongestFirst(lengths);
  std::vector<std::vector<int64_t>> batches;
  for (size_t begin = rank * kLinesOfBatch; begin < order.size(); begin += ranks * kLinesOfBatch) {
    const size_t end = std::min(begin + kLinesOfBatch, order.size());
    batches.emplace_back(order.begin() + begin, order.begin() + end);
  }
  return batches;
}

// What a rank sends: for each of its lines its place in the block, the number of bytes and the
// answer.
std::string AnswersOfRank(Predictor& predictor, const std::vector<InputLine>& lines,
                          const Communicator& communicator) {
  std::string sent;
  for (const auto& batch : BatchesOfRank(lines, communicator.rank(), communicator.size())) {
    std::vector<InputLine> mine;
    for (const int64_t i : batch) mine.push_back(lines[i]);
    const std::vector<std::string> answers = predictor.Answer(mine);
    for (size_t i = 0; i < batch.size(); ++i) {
      sent += fmt::format("{} {} ", batch[i], answers[i].size()) + answers[i];
    }
  }
  return sent;
}

std::string InOrder(const std::vector<std::string>& sent, size_t lines) {
  std::vector<std::string> answers(lines);
  for (const std::string& of_rank : sent) {
    const char* at = of_rank.data();
    const char* const end = at + of_rank.size();
    while (at < end) {
      char* behind = nullptr;
      const auto place = std::strtoull(at, &behind, 10);
      const auto bytes = std::strtoull(behind, &behind, 10);
      answers.at(place).assign(behind + 1, bytes);
      at = behind + 1 + bytes;
    }
  }
  std::string text;
  for (const std::string& answer : answers) text += answer + "\n";
  return text;
}

}  // namespace

ExitStatus Predict(Communicator& communicator, const PredictArguments& arguments) {
  Console console(!communicator.is_root(), arguments.progress);
  std::unique_ptr<Predictor> predictor;
  communicator.Together(
      [&] { predictor = OpenPredictor(arguments.checkpoint, arguments.options); });
  ChooseThreads(communicator, console, 0);
  InputLines input(arguments.each_line || isatty(STDIN_FILENO));
  int64_t done = 0;
  while (true) {
    std::string block;
    communicator.OnRoot([&] { block = input.NextBlock(); });
    communicator.Broadcast(block);
    if (block.empty()) break;
    const std::vector<InputLine> lines = Split(block, done + 1, arguments.replace_invalid);
    std::string mine;
    communicator.Together([&] { mine = AnswersOfRank(*predictor, lines, communicator); });
    const std::vector<std::string> sent = communicator.Gather(mine);
    communicator.OnRoot([&] { WriteResult(InOrder(sent, lines.size())); });
    done += std::ssize(lines);
    if (!arguments.each_line) console.Live(fmt::format("{} lines", done));
  }
  console.EndLive();
  return kDone;
}

}  // namespace lockstep::trainer
