#ifndef LOCKSTEP_TRAINER_COMMANDS_COMMANDS_H_
#define LOCKSTEP_TRAINER_COMMANDS_COMMANDS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/sequences/sequence_import.h"
#include "io/series/series_import.h"
#include "io/text/text_import.h"
#include "trainer/exit_status.h"
#include "trainer/ranks/communicator.h"
#include "trainer/tasks/dynamic_options.h"
#include "trainer/tasks/prediction.h"
#include "trainer/terminal/console.h"
#include "worker/layers/cell.h"
#include "worker/models/sampling.h"
#include "worker/products/precision.h"

namespace lockstep::trainer {

// The commands of the program; `lockstep train` is in trainer/run/train_job.h, `lockstep forecast`
// in trainer/tasks/forecast/forecast_command.h. Results that a
// program reads go to standard output, what a person reads to standard error. Each returns kDone or
// throws.

struct ImportArguments {
  io::TextImportOptions options;  // but for its threads
  int threads = 0;                // 0: OMP_NUM_THREADS, or the cores that this process may use
  Console::Mode progress = Console::Mode::kAuto;
};
ExitStatus ImportText(const ImportArguments& arguments);

struct ImportSeriesArguments {
  io::SeriesImportOptions options;
  Console::Mode progress = Console::Mode::kAuto;
};
ExitStatus ImportSeries(const ImportSeriesArguments& arguments);

struct ImportSequencesArguments {
  io::SequenceImportOptions options;
  Console::Mode progress = Console::Mode::kAuto;
};
/// Labels, tags, pairs or captions, as options.form says.
ExitStatus ImportSequences(const ImportSequencesArguments& arguments);

struct EvaluateArguments {
  std::filesystem::path checkpoint;
  std::string split = "test";
  int64_t most_tokens = 0;     ///< as evaluation.most_tokens; 0: the whole split
  std::filesystem::path data;  ///< empty: the dataset that the checkpoint names
  DynamicOptions dynamic;
  bool trained_weights = false;  ///< not their averages
  bool json = false;
  Console::Mode progress = Console::Mode::kAuto;
};
/// Collective.
ExitStatus EvaluateCheckpoint(Communicator& communicator, const EvaluateArguments& arguments);

struct SampleArguments {
  std::filesystem::path checkpoint;
  std::string prompt;
  int64_t length = 500;  ///< tokens to write
  int64_t count = 1;     ///< texts
  bool json = false;
  worker::SamplingOptions options;
};
ExitStatus Sample(const SampleArguments& arguments);

struct ScoreArguments {
  std::filesystem::path checkpoint;
  DynamicOptions dynamic;
  bool replace_invalid = false;  ///< as PredictArguments
  bool json = false;
};
/// Lines of standard input: to each its tokens, log-probability (nats) and perplexity.
ExitStatus ScoreLines(const ScoreArguments& arguments);

struct PredictArguments {
  std::filesystem::path checkpoint;
  PredictionOptions options;
  bool each_line = false;        ///< answers what has come before it waits for more
  bool replace_invalid = false;  ///< bytes that are not UTF-8 become U+FFFD
  Console::Mode progress = Console::Mode::kAuto;
};
/// Collective; rank 0 reads standard input and writes.
ExitStatus Predict(Communicator& communicator, const PredictArguments& arguments);

struct PlanArguments {
  std::filesystem::path configuration;
  std::vector<std::string> overrides;  ///< of --set
  int hosts = 1;
  int ranks_per_host = 0;               ///< 0: as many as there are
  std::string network = "10gbit,50us";  ///< see ParseNetwork
  bool json = false;
  Console::Mode progress = Console::Mode::kAuto;
};
/// Collective, on the ranks of one host: what a step takes on hosts like it, as a table.
ExitStatus Plan(Communicator& communicator, const PlanArguments& arguments);

struct BenchArguments {
  std::vector<worker::Cell> cells = {worker::Cell::kLstm, worker::Cell::kGru};
  std::vector<int64_t> hidden = {128, 256, 512, 1024};
  std::vector<worker::Precision> precisions;  ///< empty: those that the processor has
  int layers = 2;
  int64_t lanes = 64, time_steps = 64, vocabulary = 65;
  int threads = 0;  ///< 0: OMP_NUM_THREADS, or the cores that this process may use
  int turns = 5;
  std::string isa;  ///< "all", one as ONEDNN_MAX_CPU_ISA takes it, or empty: the widest
  bool json = false;
  Console::Mode progress = Console::Mode::kAuto;
};
/// What training steps reach on this machine, beside what its multipliers could do, as a table.
ExitStatus Bench(const BenchArguments& arguments);

struct InspectArguments {
  std::filesystem::path file;
  io::SeriesImportOptions table;  ///< where it is a table: how it would be imported
  bool json = false;
};
ExitStatus Inspect(const InspectArguments& arguments);

ExitStatus PrintConfiguration();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_COMMANDS_COMMANDS_H_
