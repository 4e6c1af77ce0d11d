#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/commands/commands.h"
#include "trainer/tasks/language_model/text_sampler.h"
#include "trainer/tasks/language_model/trained_language_model.h"
#include "trainer/tasks/prediction.h"
#include "trainer/terminal/output.h"
#include "worker/products/gemm.h"

namespace lockstep::trainer {
namespace {

// Time steps at a time: bounds the memory that a long line takes.
constexpr int64_t kTimeSteps = 1024;

/// Of a line, or of several.
struct Score {
  int64_t tokens = 0;
  double log_probability = 0.0;  // nats
  // Of nothing it is 1, the empty product.
  double perplexity() const {
    return tokens > 0 ? std::exp(-log_probability / static_cast<double>(tokens)) : 1.0;
  }
};

// From a zero state, behind a line feed; its own end counts where the model knows line ends. Where
// the model learns on, it does so while it reads the line.
Score ScoreLine(const TrainedLanguageModel& trained, const InputLine& line, int64_t most_steps) {
  const io::Vocabulary& vocabulary = trained.vocabulary;
  std::vector<int32_t> tokens = {FirstToken(vocabulary)};
  const std::vector<int32_t> own = EncodeLine(vocabulary, line);
  tokens.insert(tokens.end(), own.begin(), own.end());
  if (vocabulary.line_end()) tokens.push_back(static_cast<int32_t>(*vocabulary.line_end()));
  Score score;
  score.tokens = std::ssize(tokens) - 1;
  const worker::VaryingRows varying;  // lines have any lengths
  worker::RecurrentState state = trained.model->ZeroState(1);
  for (int64_t begin = 0; begin < score.tokens; begin += most_steps) {
    const worker::TokenBatch batch = {std::min(most_steps, score.tokens - begin), 1,
                                      tokens.data() + begin, tokens.data() + begin + 1};
    score.log_probability -= trained.learning ? trained.learning->Score(batch, state)
                                              : trained.model->Evaluate(batch, state);
  }
  return score;
}

void Write(const Score& score, bool json) {
  if (json) {
    WriteJson({{"tokens", score.tokens},
               {"log_probability", score.log_probability},
               {"perplexity", score.perplexity()}});
  } else {
    WriteResult(fmt::format("{}\t{:.6f}\t{:.4f}\n", score.tokens, score.log_probability,
                            score.perplexity()));
  }
}

}  // namespace

ExitStatus ScoreLines(const ScoreArguments& arguments) {
  const TrainedLanguageModel trained =
      LoadTrainedLanguageModel(arguments.checkpoint, arguments.dynamic);
  const int64_t most_steps = arguments.dynamic.on() ? arguments.dynamic.segment : kTimeSteps;
  Score total;
  int64_t lines = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++lines;
    const Score score = ScoreLine(
        trained, LineOfInput(std::move(line), lines, arguments.replace_invalid), most_steps);
    total.tokens += score.tokens;
    total.log_probability += score.log_probability;
    Write(score, arguments.json);
  }
  if (std::cin.bad()) throw std::runtime_error("cannot read standard input");
  Tell(fmt::format("{} lines, {} tokens ({}), log-probability {:.6f} nats, perplexity {:.4f}\n",
                   lines, total.tokens, io::TokenKindName(trained.vocabulary.kind()),
                   total.log_probability, total.perplexity()));
  return kDone;
}

}  // namespace lockstep::trainer
