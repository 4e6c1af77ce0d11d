#include "trainer/import_sequences_options.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "io/sequences/sequence_import.h"
#include "trainer/commands/commands.h"
#include "trainer/options.h"

namespace lockstep::trainer {
namespace {

using Options = io::SequenceImportOptions;

// The files, and which examples are for what.
void AddFiles(CLI::App* app, Options& options, const std::string& source) {
  auto* paths = app->add_option("PATH", options.paths, source + "; to be cut by --split");
  auto* split = app->add_option("--split", options.split,
                                "Shares of train, validation and test, in examples; of their sum")
                    ->delimiter(',')
                    ->type_name("TRAIN,VALIDATION,TEST")
                    ->allow_extra_args(false)
                    ->default_str("90,5,5");
  const auto files = [&](const char* name, std::vector<std::string>& given,
                         const char* description) {
    app->add_option(name, given, description)
        ->type_name("PATH...")
        ->excludes(paths)
        ->excludes(split);
  };
  files("--train", options.train,
        "What to train on, instead of PATH; the vocabulary is of these alone");
  files("--validation", options.validation, "What to validate on");
  files("--test", options.test, "What to test on");
  app->add_flag("!--no-shuffle", options.shuffle,
                "Train on the first examples, test on the last ones. Otherwise --split draws the "
                "examples of each part (the same ones every time), so that files sorted by label "
                "are cut well; each part keeps the files' order");
  app->add_option("-o,--output", options.output, "The dataset to write (HDF5)")->required();
}

void AddVocabularyFrom(CLI::App* app, const char* name, std::filesystem::path& file,
                       const char* description) {
  app->add_option(name, file, description)->type_name("FILE")->check(CheckNotEmpty);
}

// What texts are made of, and what their vocabulary is.
void AddTokens(CLI::App* app, Options& options, bool chosen) {
  if (chosen) {
    AddTokenKind(app, "--tokens", options.tokens, "word", kTokenKindsExplained);
    AddMerges(app, options);
  }
  AddVocabularyFrom(app, "--vocabulary-from", options.vocabulary_from,
                    "Take over the vocabularies, labels, tags and numbers of this dataset or "
                    "checkpoint, or the tokens of this text file, one on each line");
  app->add_option("--vocabulary", options.vocabulary_limit,
                  "Most tokens in a vocabulary, the rest is <unk>; 0: 50,000 for word and "
                  "whitespace, else no limit")
      ->capture_default_str();
  app->add_option("--min-count", options.min_count,
                  "Tokens that occur less often in the training examples are <unk>")
      ->type_name("N")
      ->check(CheckPositive)
      ->capture_default_str();
  app->add_option("--longest", options.longest, "Leave out examples with more tokens; 0: none")
      ->type_name("N")
      ->capture_default_str();
}

// How bytes become text.
void AddText(CLI::App* app, Options& options) {
  app->add_option("--normalize", options.normalization, "Unicode normalisation")
      ->check(CLI::IsMember({"none", "nfc", "nfd", "nfkc", "nfkd"}))
      ->capture_default_str();
  app->add_flag("--lowercase", options.lowercase, "Lower-case the text");
  app->add_option("--encoding", options.encoding.name,
                  "Any name that ICU knows: utf-8, gbk, gb18030, latin-1, ...")
      ->capture_default_str();
  AddInvalid(app, options.encoding.replace_invalid);
}

void AddColumn(CLI::App* app, const char* name, std::string& column, const char* description) {
  app->add_option(name, column, description)->type_name("COLUMN");
}

void AddDelimiter(CLI::App* app, Options& options) {
  app->add_option_function<std::string>(
         "--delimiter",
         [&options](const std::string& given) {
           options.delimiter = given == "tab" ? '\t' : given[0];
         },
         "What stands between the cells of a table; by default it is found")
      ->type_name("CHARACTER")
      ->check([](const std::string& given) {
        return given.size() == 1 || given == "tab" ? "" : "one character, or tab";
      });
}

void AddLabels(CLI::App* app, Options& options) {
  AddFiles(app, options,
           "Lines of LABEL, a tab, and TEXT; tables (with --label and --text); or folders with a "
           "folder for each label, named after it, with the texts in it");
  AddColumn(app, "--label", options.label_column,
            "The column of the label: its name in the first line, or its number from 1 where there "
            "is no such line");
  AddColumn(app, "--text", options.text_column, "The column of the text, likewise");
  AddDelimiter(app, options);
  AddTokens(app, options, true);
}

void AddTags(CLI::App* app, Options& options) {
  AddFiles(app, options,
           "Columns with a token on each line and an empty line behind each sentence (CoNLL); or "
           "TOKENS,TAGS or TOKENS,TAGS,LABELS: files with an example on each line");
  app->add_option("--token-column", options.token_column, "The column of the token, from 1")
      ->type_name("N")
      ->check(CheckPositive)
      ->capture_default_str();
  app->add_option("--tag-column", options.tag_column, "The column of the tag, from 1; 0: the last")
      ->type_name("N")
      ->check(CheckNotNegative)
      ->capture_default_str();
  AddTokens(app, options, false);
}

void AddPairs(CLI::App* app, Options& options) {
  AddFiles(app, options,
           "Lines of SOURCE, a tab, and TARGET; tables (with --source and --target); or "
           "SOURCES,TARGETS: files with one of them on each line");
  AddColumn(app, "--source", options.source_column,
            "The column of the source: its name in the first line, or its number from 1 where "
            "there is no such line");
  AddColumn(app, "--target", options.target_column, "The column of the target, likewise");
  AddDelimiter(app, options);
  AddTokens(app, options, true);
  AddTokenKind(app, "--source-tokens", options.source_tokens, "",
               "What a token of a source is, where --tokens is of targets alone");
  AddTokenKind(app, "--target-tokens", options.target_tokens, "",
               "What a token of a target is, where --tokens is of sources alone");
  AddVocabularyFrom(app, "--source-vocabulary-from", options.source_vocabulary_from,
                    "The same for sources, where --vocabulary-from is of targets alone");
  AddVocabularyFrom(app, "--target-vocabulary-from", options.target_vocabulary_from,
                    "The same for targets, where --vocabulary-from is of sources alone");
  app->add_flag("--shared-vocabulary", options.shared_vocabulary,
                "One vocabulary (and the same merges) for sources and targets");
}

void AddCaptions(CLI::App* app, Options& options) {
  AddFiles(app, options,
           "Tables with columns of features and one of texts; or HDF5 with an array of numbers "
           "[examples, features] and one of strings");
  AddColumn(app, "--text", options.text_column, "The column of the text, by its name");
  app->add_option(
         "--features", options.features,
         "The columns of the features, by default all that hold numbers alone; another one "
         "that is named here becomes a number, 0 or 1, for each of its values")
      ->delimiter(',')
      ->type_name("COLUMN,...")
      ->allow_extra_args(false);
  AddDelimiter(app, options);
  app->add_option("--features-array", options.features_array, "HDF5: the array of the features")
      ->type_name("PATH");
  app->add_option("--text-array", options.text_array, "HDF5: the array of the texts")
      ->type_name("PATH");
  AddTokens(app, options, true);
}

}  // namespace

void AddImportSequences(CLI::App* import,
                        const std::function<void(std::function<ExitStatus()>)>& choose) {
  struct Form {
    io::SequenceForm form;
    const char* description;
    void (*add)(CLI::App* app, Options& options);
  };
  static constexpr Form kForms[] = {
      {io::SequenceForm::kLabels, "Make a dataset of texts with a label each", AddLabels},
      {io::SequenceForm::kTags,
       "Make a dataset of texts with a tag for each token, and perhaps a label", AddTags},
      {io::SequenceForm::kPairs, "Make a dataset of pairs of texts, source and target", AddPairs},
      {io::SequenceForm::kCaptions, "Make a dataset of texts that say what some numbers are",
       AddCaptions}};
  for (const Form& form : kForms) {
    auto arguments = std::make_shared<ImportSequencesArguments>();
    arguments->options.form = form.form;
    CLI::App* app =
        import->add_subcommand(std::string(io::SequenceFormName(form.form)), form.description);
    form.add(app, arguments->options);
    AddText(app, arguments->options);
    AddProgress(app, arguments->progress);
    app->callback([choose, arguments] {
      const Options& options = arguments->options;
      if (options.paths.empty() && options.train.empty()) {
        throw CLI::RequiredError("PATH or --train");
      }
      choose([arguments] { return ImportSequences(*arguments); });
    });
  }
}

}  // namespace lockstep::trainer
