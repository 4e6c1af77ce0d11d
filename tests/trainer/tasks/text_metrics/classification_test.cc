#include "trainer/tasks/text_metrics/classification.h"

#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

using testing::ElementsAre;

// The example of scikit-learn's user guide ("classification report", 1.3): y_true = [0, 1, 2, 2,
// 0], y_pred = [0, 0, 2, 1, 0]; class 3 never occurs.
ClassificationCounts Example() {
  ClassificationCounts counts(4);
  counts.Add(0, 0), counts.Add(1, 0), counts.Add(2, 2), counts.Add(2, 1), counts.Add(0, 0);
  return counts;
}

TEST(ClassificationTest, FiguresOfScikitLearn) {
  const ClassificationCounts counts = Example();
  const ClassScores scores = counts.Finish(counts.sums());
  EXPECT_EQ(scores.items, 5);
  EXPECT_DOUBLE_EQ(scores.accuracy, 0.6);
  EXPECT_DOUBLE_EQ(scores.macro_f1, (0.8 + 0.0 + 2.0 / 3.0) / 3.0);
  ASSERT_EQ(scores.rows.size(), 4u);
  EXPECT_DOUBLE_EQ(scores.rows[0].precision, 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(scores.rows[0].recall, 1.0);
  EXPECT_DOUBLE_EQ(scores.rows[0].f1, 0.8);
  EXPECT_EQ(scores.rows[0].support, 2);
  EXPECT_EQ(scores.rows[0].found, 3);
  EXPECT_EQ(scores.rows[1].f1, 0.0);
  EXPECT_EQ(scores.rows[1].support, 1);
  EXPECT_DOUBLE_EQ(scores.rows[2].precision, 1.0);
  EXPECT_DOUBLE_EQ(scores.rows[2].recall, 0.5);
  EXPECT_DOUBLE_EQ(scores.rows[2].f1, 2.0 / 3.0);
  EXPECT_EQ(scores.rows[3].f1, 0.0);
  EXPECT_THAT(scores.confusion, ElementsAre(2, 0, 0, 0,  //
                                            1, 0, 0, 0,  //
                                            0, 1, 1, 0,  //
                                            0, 0, 0, 0));
}

TEST(ClassificationTest, TheSameWithoutATable) {
  ClassificationCounts table(5), rows(5, false);
  for (int32_t i = 0; i < 40; ++i) {
    table.Add(i % 4, i * i % 5), rows.Add(i % 4, i * i % 5);
  }
  EXPECT_EQ(rows.size(), 15u);
  const ClassScores a = table.Finish(table.sums()), b = rows.Finish(rows.sums());
  EXPECT_EQ(a.items, b.items);
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_EQ(a.macro_f1, b.macro_f1);
  for (size_t c = 0; c < a.rows.size(); ++c) {
    EXPECT_EQ(a.rows[c].support, b.rows[c].support);
    EXPECT_EQ(a.rows[c].found, b.rows[c].found);
    EXPECT_EQ(a.rows[c].precision, b.rows[c].precision);
    EXPECT_EQ(a.rows[c].recall, b.rows[c].recall);
    EXPECT_EQ(a.rows[c].f1, b.rows[c].f1);
  }
  EXPECT_TRUE(b.confusion.empty());
}

TEST(ClassificationTest, SumsAdd) {
  const ClassificationCounts counts = Example();
  std::vector<double> sums(counts.sums().begin(), counts.sums().end());
  for (double& sum : sums) sum *= 2.0;
  const ClassScores scores = counts.Finish(sums);
  EXPECT_EQ(scores.items, 10);
  EXPECT_DOUBLE_EQ(scores.accuracy, 0.6);
  EXPECT_EQ(scores.rows[0].support, 4);
}

TEST(ClassificationTest, NothingAtAll) {
  const ClassificationCounts counts(3);
  const ClassScores scores = counts.Finish(counts.sums());
  EXPECT_EQ(scores.accuracy, 0.0);
  EXPECT_EQ(scores.macro_f1, 0.0);
}

TEST(ClassificationTest, RefusesOtherClasses) {
  ClassificationCounts counts(3);
  EXPECT_THROW(counts.Add(3, 0), std::out_of_range);
  EXPECT_THROW(counts.Add(0, -1), std::out_of_range);
}

}  // namespace
}  // namespace lockstep::trainer
