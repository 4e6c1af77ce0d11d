#include "trainer/tasks/text_metrics/classification.h"

#include <stdexcept>

namespace lockstep::trainer {
namespace {

double Share(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

}  // namespace

ClassificationCounts::ClassificationCounts(int64_t classes)
    : classes_(classes), counts_(static_cast<size_t>(classes * classes), 0.0) {}

void ClassificationCounts::Add(int32_t truth, int32_t found) {
  if (truth < 0 || truth >= classes_ || found < 0 || found >= classes_) {
    throw std::out_of_range("no such class");
  }
  counts_[truth * classes_ + found] += 1.0;
}

ClassScores ClassificationCounts::Finish(std::span<const double> sums) const {
  ClassScores scores;
  double items = 0.0, correct = 0.0, f1 = 0.0, classes_seen = 0.0;
  for (const double count : sums) {
    items += count;
    scores.confusion.push_back(static_cast<int64_t>(count));
  }
  for (int64_t c = 0; c < classes_; ++c) {
    double support = 0.0, found = 0.0;
    for (int64_t other = 0; other < classes_; ++other) {
      support += sums[c * classes_ + other];
      found += sums[other * classes_ + c];
    }
    const double right = sums[c * classes_ + c];
    correct += right;
    ClassScore row;
    row.support = static_cast<int64_t>(support);
    row.found = static_cast<int64_t>(found);
    row.precision = Share(right, found);
    row.recall = Share(right, support);
    row.f1 = Share(2.0 * right, support + found);
    if (support + found > 0.0) {
      f1 += row.f1;
      classes_seen += 1.0;
    }
    scores.rows.push_back(row);
  }
  scores.items = static_cast<int64_t>(items);
  scores.accuracy = Share(correct, items);
  scores.macro_f1 = Share(f1, classes_seen);
  return scores;
}

}  // namespace lockstep::trainer
