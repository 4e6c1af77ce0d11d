#include "trainer/tasks/label/label_tables.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "trainer/tasks/label/label_measurement.h"

namespace lockstep::trainer {
namespace {

ClassScores ThreeClasses() {
  ClassificationCounts counts(3, true);
  for (int i = 0; i < 3; ++i) counts.Add(0, 0);
  counts.Add(0, 1);
  counts.Add(1, 1);
  return counts.Finish(counts.sums());
}

TEST(ClassTableTest, ARowForEachLabelThatIsThereAndWhatWasTakenForWhat) {
  const std::string table = ClassTable(ThreeClasses(), {"spam", "ham", "eggs"});
  EXPECT_EQ(table,
            "\n\nlabel  precision  recall      F1  number"
            "\nspam      1.0000  0.7500  0.8571       4"
            "\nham       0.5000  1.0000  0.6667       1"
            "\n\nlabel  taken for"
            "\nspam        3       1       0"
            "\nham         0       1       0"
            "\neggs        0       0       0");
}

// Of more labels than a terminal is wide.
TEST(ClassTableTest, OfManyLabelsTheMostFrequentMistakes) {
  constexpr int32_t kLabels = 13;
  ClassificationCounts counts(kLabels, true);
  std::vector<std::string> names;
  for (int32_t i = 0; i < kLabels; ++i) {
    names.push_back("n" + std::to_string(i));
    counts.Add(i, (i + 1) % kLabels);
  }
  counts.Add(3, 3);
  counts.Add(5, 2);
  counts.Add(5, 2);
  const std::string table = ClassTable(counts.Finish(counts.sums()), names);
  EXPECT_THAT(table, testing::HasSubstr("\n\nlabel  taken for  times\nn5     n2             2"
                                        "\nn0     n1             1\nn1     n2             1\n"));
  EXPECT_THAT(table, testing::EndsWith("\nn10    n11            1\n(2 more; --json has all)"));
}

TEST(LabelMeasurementTest, TagsThatAreNoPartsOfSpansHaveNoF1) {
  const auto names = [](const LabelFacts& facts) {
    std::vector<std::string> all;
    for (const MetricFacts& metric : LabelMeasurement::MetricsOf(facts)) all.push_back(metric.name);
    return all;
  };
  LabelFacts facts;
  facts.tags = {"O", "B-city", "I-city"};
  EXPECT_THAT(names(facts),
              testing::ElementsAre("loss", "token_accuracy", "span_f1", "exact_match"));
  facts.tags = {"NN", "VB"};
  EXPECT_THAT(names(facts), testing::ElementsAre("loss", "token_accuracy", "exact_match"));
}

TEST(ClassTableTest, AsJson) {
  nlohmann::ordered_json json;
  AddClasses(ThreeClasses(), {"spam", "ham", "eggs"}, json);
  EXPECT_DOUBLE_EQ(json["accuracy"].get<double>(), 0.8);
  EXPECT_EQ(json["labels"][1]["label"], "ham");
  EXPECT_DOUBLE_EQ(json["labels"][1]["precision"].get<double>(), 0.5);
  EXPECT_EQ(json["labels"][2]["number"], 0);
  EXPECT_EQ(json["confusion"][0][1], 1);
}

TEST(SpanTableTest, ARowForEachTypeAndOneForAll) {
  const std::vector<std::string> tags = {"O", "B-city", "I-city", "B-day"};
  SpanF1 spans(tags);
  spans.Add(std::vector<int32_t>{1, 2, 0, 3}, std::vector<int32_t>{1, 2, 0, 1});
  const SpanScores scores = spans.Finish(spans.sums());
  EXPECT_EQ(SpanTable(scores),
            "\n\nspans  precision  recall      F1  number"
            "\ncity      0.5000  1.0000  0.6667       1"
            "\nday       0.0000  0.0000  0.0000       1"
            "\nall       0.5000  0.5000  0.5000       2");
  nlohmann::ordered_json json;
  AddSpans(scores, spans.scheme(), json);
  EXPECT_EQ(json["scheme"], "BIO");
  EXPECT_EQ(json["token_accuracy"], 0.75);
  EXPECT_EQ(json["span_f1"], 0.5);
  EXPECT_EQ(json["spans"][0]["type"], "city");
  AddSpans(scores, "", json = {});
  EXPECT_FALSE(json.contains("span_f1"));
}

}  // namespace
}  // namespace lockstep::trainer
