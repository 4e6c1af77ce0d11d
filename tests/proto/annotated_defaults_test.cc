#include <sstream>

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

using google::protobuf::util::MessageDifferencer;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(AnnotatedDefaultsTest, ReadBackToTheDefaults) {
  const RunConfig read = ParseRunConfig(PrintAnnotatedDefaults(), "annotated");
  EXPECT_TRUE(MessageDifferencer::Equals(read, ParseRunConfig("", "empty")));
}

// Nothing is left to be filled in.
TEST(AnnotatedDefaultsTest, AreComplete) {
  std::string settings;
  for (const std::string& line : Lines(PrintAnnotatedDefaults())) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin != std::string::npos && line[begin] != '#') settings += line + "\n";
  }
  EXPECT_EQ(settings, PrintRunConfig(RunConfig()));
}

TEST(AnnotatedDefaultsTest, NameEveryFieldOfTheSchema) {
  const std::string text = PrintAnnotatedDefaults();
  for (const auto& [path, field] : AllFields()) {
    const std::string name(field->name());
    EXPECT_THAT(text, ContainsRegex("\n *(#? *)*" + name + (IsMessage(*field) ? " \\{" : ": ")))
        << path;
  }
}

TEST(AnnotatedDefaultsTest, FieldsStandUnderTheirCommentAndRange) {
  const std::string text = PrintAnnotatedDefaults();
  EXPECT_THAT(text, HasSubstr("  # Units of a layer. Range: [1, 1000000].\n  hidden_size: 256\n"));
  EXPECT_THAT(text, HasSubstr("  # The split to train on. Not empty.\n  split: \"train\"\n"));
  EXPECT_THAT(text, HasSubstr("  # The recurrent cell of every layer.\n"
                              "  # - RNN_TANH: h = tanh(W x + U h + b)\n"));
}

TEST(AnnotatedDefaultsTest, AlternativesAreCommentedOut) {
  const std::string text = PrintAnnotatedDefaults();
  EXPECT_THAT(text, HasSubstr("  # One of: adam, adamw, sgd, rmsprop, adagrad.\n"));
  EXPECT_THAT(text, HasSubstr("\n  adam {\n"));
  EXPECT_THAT(text, HasSubstr("\n  #sgd {\n  #  # Share of the last step that is taken again. "
                              "Range: [0, 1).\n  #  momentum: 0\n"));
  EXPECT_THAT(text, HasSubstr("\n    #none {}\n"));
}

// Takes the # away from one alternative, and the default's lines.
TEST(AnnotatedDefaultsTest, AnAlternativeWithoutItsHashesParses) {
  std::string text;
  bool in_adam = false;
  bool in_sgd = false;
  for (std::string line : Lines(PrintAnnotatedDefaults())) {
    in_adam |= line == "  adam {";
    in_sgd |= line == "  #sgd {";
    const bool adam_ends = line == "  }";
    const bool sgd_ends = line == "  #}";
    if (in_sgd) line.erase(2, 1);
    if (!in_adam) text += line + "\n";
    if (adam_ends) in_adam = false;
    if (sgd_ends) in_sgd = false;
  }
  const RunConfig expected = ParseRunConfig("", "", std::vector<std::string>{"optimizer.sgd={}"});
  EXPECT_TRUE(MessageDifferencer::Equals(ParseRunConfig(text, "sgd"), expected)) << text;
}

TEST(AnnotatedDefaultsTest, AreAtMost100ColumnsWideAndBreakNoRange) {
  for (const std::string& line : Lines(PrintAnnotatedDefaults())) {
    EXPECT_LE(line.size(), 100U) << line;
    EXPECT_FALSE(line.ends_with(",") && line.find("Range: ") != std::string::npos) << line;
  }
}

}  // namespace
}  // namespace lockstep::proto
