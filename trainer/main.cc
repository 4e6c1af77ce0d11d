#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "io/text/vocabulary.h"
#include "trainer/commands/commands.h"
#include "trainer/exit_status.h"
#include "trainer/import_sequences_options.h"
#include "trainer/options.h"
#include "trainer/ranks/communicator.h"
#include "trainer/ranks/stop_signal.h"
#include "trainer/run/train_job.h"
#include "trainer/tasks/forecast/forecast_command.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

using Command = std::function<ExitStatus()>;

void TellError(const std::exception& error, const std::string& place = "") {
  Tell(fmt::format("lockstep: error{}: {}\n", place, error.what()));
}

// Commands that all ranks run together.
ExitStatus RunOnRanks(const std::function<ExitStatus(Communicator&)>& body) {
  std::optional<Communicator> started;
  try {
    started.emplace();
  } catch (const std::exception& error) {
    TellError(error);
    return StatusOf(error);
  }
  Communicator& communicator = *started;
  ExitStatus status = kDone;
  try {
    status = body(communicator);
  } catch (const AgreedError& error) {
    if (communicator.is_root()) TellError(error);
    status = error.status();
  } catch (const std::exception& error) {
    TellError(error, communicator.Place());
    status = StatusOf(error);
    // The others know nothing of this and would wait for ever.
    if (communicator.size() > 1) communicator.Abort(status);
  }
  communicator.Finalize();
  return status;
}

// Commands that need one process: under mpirun only rank 0 acts.
ExitStatus RunAlone(const Command& body) {
  if (LauncherRank() != 0) return kDone;
  try {
    return body();
  } catch (const std::exception& error) {
    TellError(error);
    return StatusOf(error);
  }
}

// How columns and rows of a table are to be understood.
void AddTableOptions(CLI::App* app, io::SeriesImportOptions& options) {
  app->add_option("--time", options.time,
                  "The time column; by default the first one called date, time, ds, ... that holds "
                  "times; \"\" for none");
  const auto list = [&](const char* name, std::vector<std::string>& columns,
                        const char* description) {
    app->add_option(name, columns, description)
        ->delimiter(',')
        ->type_name("COLUMN,...")
        ->allow_extra_args(false);
  };
  list("--values", options.values, "The columns to forecast; by default all that are nothing else");
  app->add_option("--series", options.series,
                  "The column that names the series of a row; without it all rows are one series")
      ->type_name("COLUMN");
  list("--known", options.known, "Covariates that are known for the future, too");
  list("--static", options.statics, "Covariates of a series, the same in all its rows");
  app->add_option("--frequency", options.frequency,
                  "Time from row to row: auto, 10s, 15min, 1h, 1d, 1w, 1mo, 1y")
      ->capture_default_str();
  AddChoice<io::MissingMode>(app, "--missing", options.missing,
                             {{"error", io::MissingMode::kError},
                              {"forward", io::MissingMode::kForward},
                              {"interpolate", io::MissingMode::kInterpolate},
                              {"mask", io::MissingMode::kMask}},
                             "error", "What becomes of missing values and rows");
  app->add_option_function<std::string>(
         "--delimiter",
         [&options](const std::string& given) {
           options.delimiter = given == "tab" ? '\t' : given[0];
         },
         "What stands between cells; by default it is found")
      ->type_name("CHARACTER")
      ->check([](const std::string& given) {
        return given.size() == 1 || given == "tab" ? "" : "one character, or tab";
      });
  app->add_flag("--decimal-comma", options.decimal_comma, "1,5 is a number");
  app->add_option("--array", options.array, "The array [time, channel] inside HDF5 files")
      ->type_name("PATH");
}

void AddImportSeries(CLI::App* import, Command& command) {
  CLI::App* series = import->add_subcommand(
      "series",
      "Make a dataset of time series from tables (CSV, also gzipped) or arrays (.npy, "
      "HDF5)");
  auto arguments = std::make_shared<ImportSeriesArguments>();
  io::SeriesImportOptions& options = arguments->options;
  series->add_option("FILE", options.paths, "Tables with the same columns; - is standard input")
      ->required();
  series->add_option("-o,--output", options.output, "The dataset to write (HDF5)")->required();
  AddTableOptions(series, options);
  AddChoice<bool>(series, "--scale", options.scale, {{"standard", true}, {"none", false}},
                  "standard",
                  "Models see values less their mean, by their deviation, both of the training "
                  "rows; or as they are");
  auto* shares =
      series->add_option("--split", options.split_shares,
                         "Shares of train, validation and test, for each series; 70,10,20 "
                         "where nothing is said");
  auto* rows = series->add_option("--split-rows", options.split_rows,
                                  "Rows of train, validation and test; what is behind is left out");
  auto* times =
      series->add_option("--split-time", options.split_times, "When validation and test begin");
  for (CLI::Option* option : {shares, rows, times}) {
    option->delimiter(',')->allow_extra_args(false);
    for (CLI::Option* other : {shares, rows, times}) {
      if (other != option) option->excludes(other);
    }
  }
  shares->type_name("TRAIN,VALIDATION,TEST");
  rows->type_name("TRAIN,VALIDATION,TEST");
  times->type_name("VALIDATION,TEST");
  AddProgress(series, arguments->progress);
  series->callback([&command, arguments] {
    command = [arguments] { return RunAlone([&] { return ImportSeries(*arguments); }); };
  });
}

// What the tokens of a text are, and where their vocabulary comes from.
void AddTokenOptions(CLI::App* text, io::TextImportOptions& options) {
  AddTokenKind(text, "--tokens", options.tokens, "char", kTokenKindsExplained);
  text->add_option(
          "--vocabulary", options.vocabulary_limit,
          "Most tokens in the vocabulary, the rest is <unk>; 0: no limit, for words 50,000")
      ->capture_default_str();
  text->add_option("--vocabulary-from", options.vocabulary_from,
                   "Take the vocabulary of this dataset or checkpoint, or the tokens of this text "
                   "file, one on each line")
      ->type_name("FILE")
      ->check(CheckNotEmpty);
  text->add_option_function<std::string>(
          "--line-end",
          [&options](const std::string& given) {
            options.line_end = given == "none" ? "" : given == "\\n" ? "\n" : given;
          },
          "For whitespace and bpe: the token that a line feed gives, such as <eos>; none: no "
          "token; "
          "by default the line feed itself")
      ->type_name("TOKEN");
  AddMerges(text, options);
}

// The files of a text: all in one to be cut, or those of each split.
void AddTextFiles(CLI::App* text, io::TextImportOptions& options) {
  auto* paths = text->add_option("PATH", options.paths, "Files and folders, cut by --split");
  auto* split = text->add_option("--split", options.split,
                                 "Shares of train, validation and test, of their sum")
                    ->delimiter(',')
                    ->type_name("TRAIN,VALIDATION,TEST")
                    ->allow_extra_args(false)
                    ->default_str("90,5,5");
  const auto files = [&](const char* name, std::vector<std::filesystem::path>& given,
                         const char* description) {
    text->add_option(name, given, description)
        ->type_name("PATH...")
        ->excludes(paths)
        ->excludes(split);
  };
  files("--train", options.training_paths,
        "Files and folders to train on, instead of PATH; the vocabulary is theirs");
  files("--validation", options.validation_paths, "Files and folders to validate on");
  files("--test", options.test_paths, "Files and folders to test on");
}

void AddThreads(CLI::App* command, int& threads) {
  command
      ->add_option("--threads", threads,
                   "Threads; 0: OMP_NUM_THREADS, or the cores that this process may use")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
}

void AddImportText(CLI::App* import, Command& command) {
  CLI::App* text = import->add_subcommand(
      "text",
      "Make a dataset of tokens from text files and folders (recursively, in sorted order)");
  auto arguments = std::make_shared<ImportArguments>();
  io::TextImportOptions& options = arguments->options;
  AddTextFiles(text, options);
  text->add_option("-o,--output", options.output, "The dataset to write (HDF5)")->required();
  AddTokenOptions(text, options);
  text->add_option("--encoding", options.encoding,
                   "Any name that ICU knows: utf-8, gbk, gb18030, latin-1, ...")
      ->capture_default_str();
  AddInvalid(text, options.replace_invalid);
  text->add_option("--normalize", options.normalization, "Unicode normalisation")
      ->check(CLI::IsMember({"none", "nfc", "nfd", "nfkc", "nfkd"}))
      ->capture_default_str();
  text->add_flag("--lowercase", options.lowercase, "Lower-case the text");
  AddThreads(text, arguments->threads);
  AddProgress(text, arguments->progress);
  text->callback([&command, arguments] {
    if (arguments->options.paths.empty() && arguments->options.training_paths.empty()) {
      throw CLI::RequiredError("PATH or --train");
    }
    command = [arguments] { return RunAlone([&] { return ImportText(*arguments); }); };
  });
}

void AddImport(CLI::App& app, Command& command) {
  CLI::App* import = app.add_subcommand("import", "Make a dataset");
  import->require_subcommand(1);
  AddImportText(import, command);
  AddImportSeries(import, command);
  AddImportSequences(import, [&command](std::function<ExitStatus()> body) {
    command = [body = std::move(body)] { return RunAlone(body); };
  });
}

// A configuration that a command takes, and what replaces fields of it.
void AddConfiguration(CLI::App* app, std::filesystem::path& configuration,
                      std::vector<std::string>& overrides) {
  app->add_option("CONFIG", configuration, "Run configuration; `lockstep config` prints all fields")
      ->required();
  app->add_option("--set", overrides, "Replace a field: --set optimizer.learning_rate=0.001")
      ->type_name("FIELD=VALUE")
      ->allow_extra_args(false);
}

void AddTrain(CLI::App& app, Command& command) {
  CLI::App* train = app.add_subcommand("train", "Train a model; under mpirun or srun on all ranks");
  auto arguments = std::make_shared<TrainArguments>();
  AddConfiguration(train, arguments->configuration, arguments->overrides);
  train
      ->add_option("--resume", arguments->resume,
                   "auto: go on from the run folder's newest whole checkpoint; never: start anew "
                   "(an older run is kept under "
                   "another name); or a checkpoint to start from")
      ->capture_default_str();
  train
      ->add_option("--start-from", arguments->start_from,
                   "A new run begins with the weights of this checkpoint's model, and with "
                   "nothing else of it; a language model may have another vocabulary. A run that "
                   "goes on does not ask for it")
      ->type_name("CHECKPOINT");
  AddProgress(train, arguments->progress);
  train->callback([&command, arguments] {
    command = [arguments] {
      CatchStopSignals();  // one may come while MPI starts
      return RunOnRanks(
          [&](Communicator& communicator) { return Train(communicator, *arguments); });
    };
  });
}

// How a language model goes on learning while it is measured.
void AddDynamic(CLI::App* app, DynamicOptions& options) {
  auto* rate =
      app->add_option(
             "--dynamic", options.rate,
             "A language model learns on from what it has just been measured on "
             "(dynamic evaluation), with this rate: 0.002, say; it reads from the beginning")
          ->type_name("RATE")
          ->check(CheckPositive);
  app->add_option("--dynamic-decay", options.decay,
                  "With --dynamic: how far weights go back towards the checkpoint's, each time")
      ->check(CLI::Range(0.0, 1.0))
      ->needs(rate)
      ->capture_default_str();
  app->add_option("--dynamic-segment", options.segment,
                  "With --dynamic: so many tokens are measured, then learnt from")
      ->check(CLI::Range(1, 100000))
      ->needs(rate)
      ->capture_default_str();
}

void AddEvaluate(CLI::App& app, Command& command) {
  CLI::App* evaluate =
      app.add_subcommand("evaluate", "Measure a checkpoint on a split; under mpirun on all ranks");
  auto arguments = std::make_shared<EvaluateArguments>();
  evaluate->add_option("CHECKPOINT", arguments->checkpoint, "The checkpoint")->required();
  evaluate->add_option("--split", arguments->split, "train, validation or test")
      ->capture_default_str();
  evaluate
      ->add_option("--most-tokens", arguments->most_tokens,
                   "Read about this many tokens of the split only, spread over it; 0: all")
      ->check(CheckNotNegative)
      ->capture_default_str();
  evaluate->add_option(
      "--data", arguments->data,
      "Another dataset with the same vocabulary, or the same channels and covariates");
  AddDynamic(evaluate, arguments->dynamic);
  evaluate->add_flag("--trained-weights", arguments->trained_weights,
                     "Where the checkpoint has averages of the weights (optimizer.averaging), "
                     "measure the weights themselves");
  evaluate->add_flag("--json", arguments->json, "The result as JSON on standard output");
  AddProgress(evaluate, arguments->progress);
  evaluate->callback([&command, arguments] {
    command = [arguments] {
      return RunOnRanks(
          [&](Communicator& communicator) { return EvaluateCheckpoint(communicator, *arguments); });
    };
  });
}

void AddSample(CLI::App& app, Command& command) {
  CLI::App* sample = app.add_subcommand("sample", "Let a model write");
  auto arguments = std::make_shared<SampleArguments>();
  sample->add_option("CHECKPOINT", arguments->checkpoint, "The checkpoint")->required();
  sample->add_option("--prompt", arguments->prompt, "Text to go on from");
  sample->add_option("--length", arguments->length, "Tokens to write")
      ->check(CheckNotNegative)
      ->capture_default_str();
  sample
      ->add_option("--temperature", arguments->options.temperature,
                   "Below 1 bolder, above 1 more varied; 0 always takes the likeliest token")
      ->check(CheckNotNegative)
      ->capture_default_str();
  sample
      ->add_option("--top-k", arguments->options.top_k,
                   "Draw among the k likeliest tokens only; 0: all")
      ->check(CheckNotNegative)
      ->capture_default_str();
  sample->add_option("--seed", arguments->options.seed, "The same seed writes the same text")
      ->capture_default_str();
  sample
      ->add_option("--count", arguments->count,
                   "Texts behind the same prompt, 64 at a time; the first is that of --count 1")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32))
      ->capture_default_str();
  sample->add_flag("--json", arguments->json, "A line of JSON for each text");
  sample->callback([&command, arguments] {
    command = [arguments] { return RunAlone([&] { return Sample(*arguments); }); };
  });
}

void AddScore(CLI::App& app, Command& command) {
  CLI::App* score = app.add_subcommand(
      "score",
      "Let a language model say how likely lines of standard input are: of each its tokens, "
      "log-probability in nats and perplexity, with tabs between; the line end counts where the "
      "model knows it; all together on standard error");
  auto arguments = std::make_shared<ScoreArguments>();
  score->add_option("CHECKPOINT", arguments->checkpoint, "The checkpoint")->required();
  AddDynamic(score, arguments->dynamic);
  score->add_flag("--json", arguments->json, "A JSON object for each line");
  AddInvalid(score, arguments->replace_invalid);
  score->callback([&command, arguments] {
    command = [arguments] { return RunAlone([&] { return ScoreLines(*arguments); }); };
  });
}

void AddPredict(CLI::App& app, Command& command) {
  CLI::App* predict = app.add_subcommand(
      "predict",
      "Let a model answer lines of standard input: labels, tags, translations, texts for vectors; "
      "under mpirun on all ranks");
  auto arguments = std::make_shared<PredictArguments>();
  PredictionOptions& options = arguments->options;
  predict->add_option("CHECKPOINT", arguments->checkpoint, "The checkpoint")->required();
  predict->add_flag("--json", options.json, "A JSON object for each line");
  AddInvalid(predict, arguments->replace_invalid);
  predict
      ->add_option("--beam", options.beam,
                   "Translations, captions: beginnings that are followed at a time; by default "
                   "as the configuration says")
      ->check(CLI::Range(1, 1000));
  predict
      ->add_option("--nbest", options.nbest,
                   "So many answers to each line, the best first: a line each, with its number")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  predict->add_flag("--copy-unknown", options.copy_unknown,
                    "Translations with attention: unknown words are copied from the source");
  predict
      ->add_option("--temperature", options.temperature,
                   "Translations, captions: drawn, not searched for; below 1 bolder, above 1 more "
                   "varied")
      ->check(CheckPositive);
  predict->add_option("--seed", options.seed, "The same seed draws the same texts")
      ->capture_default_str();
  predict->add_flag("--each-line", arguments->each_line,
                    "Answer what has come before waiting for more, for a program at the other end");
  AddProgress(predict, arguments->progress);
  predict->callback([&command, arguments] {
    command = [arguments] {
      return RunOnRanks(
          [&](Communicator& communicator) { return Predict(communicator, *arguments); });
    };
  });
}

void AddForecast(CLI::App& app, Command& command) {
  CLI::App* forecast = app.add_subcommand(
      "forecast", "Let a model continue series past their end; a table on standard output");
  auto arguments = std::make_shared<ForecastArguments>();
  forecast->add_option("CHECKPOINT", arguments->checkpoint, "The checkpoint")->required();
  forecast->add_option("--data", arguments->source.data,
                       "Other data with the columns of the training: a dataset of `lockstep "
                       "import`, or a table, - is standard input");
  forecast
      ->add_option("--series-column", arguments->source.series_column,
                   "The column of a table that names the series of a row")
      ->type_name("COLUMN");
  forecast->add_flag("--decimal-comma", arguments->source.decimal_comma,
                     "In a table 1,5 is a number");
  forecast->add_option("--series", arguments->series, "Only these series, by their names")
      ->delimiter(',')
      ->type_name("NAME,...")
      ->allow_extra_args(false);
  forecast
      ->add_option("--samples", arguments->samples,
                   "Paths to draw for each forecast, where the model draws them")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  forecast->add_option("--seed", arguments->seed, "The same seed draws the same paths")
      ->capture_default_str();
  forecast->add_flag("--backtest", arguments->backtest,
                     "Forecast the test split, every horizon anew, beside the truth");
  forecast->add_option("--csv", arguments->csv,
                       "Write the table here; -, and without --plot the default: standard output");
  forecast->add_option("--plot", arguments->plot, "Draw a picture here (SVG)");
  AddProgress(forecast, arguments->progress);
  forecast->callback([&command, arguments] {
    command = [arguments] { return RunAlone([&] { return Forecast(*arguments); }); };
  });
}

// In place of this process; its standard streams and its status are those of mpirun.
[[noreturn]] void StartOnRanks(int ranks, char** argv) {
  std::error_code error;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (error) path = argv[0];
  std::string words[] = {"mpirun", "--bind-to", "none", "-n", std::to_string(ranks), path};
  std::vector<char*> command;
  for (std::string& word : words) command.push_back(word.data());
  for (char** argument = argv + 1; *argument; ++argument) command.push_back(*argument);
  command.push_back(nullptr);
  execvp(command[0], command.data());
  Tell(
      fmt::format("lockstep: error: mpirun cannot be started: {}. Install Open MPI, or leave out "
                  "--ranks-per-host.\n",
                  std::generic_category().message(errno)));
  std::exit(kFailed);
}

void AddPlan(CLI::App& app, Command& command, char** argv) {
  CLI::App* plan = app.add_subcommand(
      "plan",
      "Tell what training steps would take on more hosts like this one, from steps that are "
      "measured here");
  auto arguments = std::make_shared<PlanArguments>();
  AddConfiguration(plan, arguments->configuration, arguments->overrides);
  plan->add_option("--hosts", arguments->hosts,
                   "Hosts that you think of; the table has 1, 2, 4, ...")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  plan->add_option("--ranks-per-host", arguments->ranks_per_host,
                   "Ranks on each, which are started here with mpirun; by default 1, or those that "
                   "mpirun has started")
      ->check(CLI::Range(1, 1024));
  plan->add_option("--network", arguments->network, "Rate and latency between hosts")
      ->type_name("RATE,LATENCY")
      ->capture_default_str();
  plan->add_flag("--json", arguments->json, "As JSON on standard output");
  AddProgress(plan, arguments->progress);
  plan->callback([&command, arguments, argv] {
    command = [arguments, argv] {
      if (arguments->ranks_per_host > 1 && !IsLaunched()) {
        StartOnRanks(arguments->ranks_per_host, argv);
      }
      return RunOnRanks([&](Communicator& communicator) { return Plan(communicator, *arguments); });
    };
  });
}

void AddBench(CLI::App& app, Command& command) {
  CLI::App* bench = app.add_subcommand(
      "bench",
      "Measure training steps on this machine, beside the most that its multipliers could do");
  auto arguments = std::make_shared<BenchArguments>();
  std::map<std::string, worker::Cell> cells;
  for (const worker::Cell cell : worker::AllCells()) cells[worker::FactsOf(cell).name] = cell;
  const auto list = [&](CLI::Option* option, const char* type, const char* standard) {
    option->delimiter(',')->allow_extra_args(false)->type_name(type)->default_str(standard);
  };
  list(bench
           ->add_option_function<std::vector<std::string>>(
               "--cells",
               [arguments, cells](const std::vector<std::string>& names) {
                 arguments->cells.clear();
                 for (const std::string& name : names) {
                   arguments->cells.push_back(cells.at(name));
                 }
               },
               "Cells, as the configuration names them")
           ->check(CLI::IsMember(cells)),
       "CELL,...", "LSTM,GRU");
  list(bench->add_option("--hidden", arguments->hidden, "Units of a layer")
           ->check(CLI::Range(1, 100000)),
       "N,...", "128,256,512,1024");
  list(bench
           ->add_option_function<std::vector<std::string>>(
               "--precisions",
               [arguments](const std::vector<std::string>& names) {
                 arguments->precisions.clear();
                 for (const std::string& name : names) {
                   arguments->precisions.push_back(name == "BF16" ? worker::Precision::kBf16
                                                                  : worker::Precision::kFloat32);
                 }
               },
               "FLOAT32, BF16; by default both where the processor has instructions for bf16")
           ->check(CLI::IsMember({"FLOAT32", "BF16"})),
       "PRECISION,...", "");
  const auto number = [&](const char* name, auto& value, const char* description) {
    bench->add_option(name, value, description)
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str();
  };
  number("--layers", arguments->layers, "Layers of the model");
  number("--lanes", arguments->lanes, "Lanes of the batch");
  number("--time-steps", arguments->time_steps, "Time steps of the batch");
  number("--vocabulary", arguments->vocabulary, "Tokens of the vocabulary");
  number("--turns", arguments->turns, "Turns that are measured, after one that is not");
  AddThreads(bench, arguments->threads);
  bench
      ->add_option("--isa", arguments->isa,
                   "all: rows for each instruction set of this machine; or one: SSE41, AVX, AVX2, "
                   "AVX512_CORE, AVX512_CORE_VNNI, AVX512_CORE_BF16, AVX512_CORE_AMX; by default "
                   "the widest")
      ->type_name("NAME");
  bench->add_flag("--json", arguments->json, "As JSON on standard output");
  AddProgress(bench, arguments->progress);
  bench->callback([&command, arguments] {
    command = [arguments] { return RunAlone([&] { return Bench(*arguments); }); };
  });
}

void AddInspect(CLI::App& app, Command& command) {
  CLI::App* inspect = app.add_subcommand("inspect",
                                         "Tell what a dataset or checkpoint is, and whether it is "
                                         "whole; or what `import series` would "
                                         "make of a table");
  auto arguments = std::make_shared<InspectArguments>();
  inspect->add_option("FILE", arguments->file, "The file")->required();
  AddTableOptions(inspect, arguments->table);
  inspect->add_flag("--json", arguments->json, "As JSON on standard output");
  inspect->callback([&command, arguments] {
    command = [arguments] { return RunAlone([&] { return Inspect(*arguments); }); };
  });
}

void AddConfig(CLI::App& app, Command& command) {
  CLI::App* config = app.add_subcommand(
      "config", "Print the whole configuration with its defaults, annotated, as a valid file");
  config->callback([&command] { command = [] { return RunAlone(PrintConfiguration); }; });
}

// --version behind every command, too.
void AddVersion(CLI::App& app) {
  app.set_version_flag("--version", "lockstep " LOCKSTEP_VERSION);
  for (CLI::App* subcommand : app.get_subcommands({})) AddVersion(*subcommand);
}

// "lockstep import text".
std::string CommandName(const CLI::App* app) {
  std::string name = app->get_name();
  while ((app = app->get_parent())) name = app->get_name() + " " + name;
  return name;
}

// What CLI11 has to say: help and version, which were asked for, or what is wrong.
ExitStatus TellParsing(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream asked, wrong;
  const int code = app.exit(error, asked, wrong);
  Tell(wrong.str());
  if (code != 0) return kWrongInput;
  return RunAlone([&] {
    WriteResult(asked.str());
    return kDone;
  });
}

ExitStatus Run(int argc, char** argv) {
  CLI::App app(
      "Lockstep trains recurrent sequence models on CPU clusters.\n\n"
      "Exit status: 0 done; 2 wrong flags, configuration or data; 3 training diverged; 75 stopped "
      "by a signal with a checkpoint saved, or another job still held the run folder: start again "
      "to go on; 1 anything else.",
      "lockstep");
  app.require_subcommand(1);
  // CLI11 tells of the missing command first; the misspelt one is what helps.
  app.failure_message([](const CLI::App* at, const CLI::Error& error) {
    const std::vector<std::string> extras = at->remaining();
    const std::string what = extras.empty() || !dynamic_cast<const CLI::RequiredError*>(&error)
                                 ? error.what()
                                 : fmt::format("unknown command {}", extras.front());
    return fmt::format("lockstep: error: {}. See {} --help.\n", what, CommandName(at));
  });
  Command command;
  AddImport(app, command);
  AddTrain(app, command);
  AddEvaluate(app, command);
  AddSample(app, command);
  AddScore(app, command);
  AddPredict(app, command);
  AddForecast(app, command);
  AddPlan(app, command, argv);
  AddBench(app, command);
  AddInspect(app, command);
  AddConfig(app, command);
  AddVersion(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (LauncherRank() != 0) return error.get_exit_code() == 0 ? kDone : kWrongInput;
    return TellParsing(app, error);
  }
  return command();
}

}  // namespace
}  // namespace lockstep::trainer

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit on file sizes fails, with a message
  lockstep::trainer::PrepareStandardStreams();
  return lockstep::trainer::Run(argc, argv);
}
