#include "trainer/tasks/text_metrics/classification.h"

#include <stdexcept>

namespace lockstep::trainer {
namespace {

double Share(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

}  // namespace

ClassificationCounts::ClassificationCounts(int64_t classes, bool confusion)
    : classes_(classes),
      confusion_(confusion),
      counts_(static_cast<size_t>((confusion ? classes : 3) * classes), 0.0) {}

void ClassificationCounts::Add(int32_t truth, int32_t found) {
  if (truth < 0 || truth >= classes_ || found < 0 || found >= classes_) {
    throw std::out_of_range("no such class");
  }
  if (confusion_) {
    counts_[truth * classes_ + found] += 1.0;
    return;
  }
  counts_[truth] += 1.0;
  counts_[classes_ + found] += 1.0;
  if (truth == found) counts_[2 * classes_ + truth] += 1.0;
}

ClassificationCounts::Margins ClassificationCounts::MarginsOf(std::span<const double> sums,
                                                              int64_t c) const {
  if (!confusion_) return {sums[c], sums[classes_ + c], sums[2 * classes_ + c]};
  Margins margins;
  for (int64_t other = 0; other < classes_; ++other) {
    margins.truth += sums[c * classes_ + other];
    margins.found += sums[other * classes_ + c];
  }
  margins.right = sums[c * classes_ + c];
  return margins;
}

ClassScores ClassificationCounts::Finish(std::span<const double> sums) const {
  ClassScores scores;
  double items = 0.0, right = 0.0, f1 = 0.0, classes_seen = 0.0;
  for (int64_t c = 0; c < classes_; ++c) {
    const Margins margins = MarginsOf(sums, c);
    items += margins.truth;
    right += margins.right;
    ClassScore row;
    row.support = static_cast<int64_t>(margins.truth);
    row.found = static_cast<int64_t>(margins.found);
    row.precision = Share(margins.right, margins.found);
    row.recall = Share(margins.right, margins.truth);
    row.f1 = Share(2.0 * margins.right, margins.truth + margins.found);
    if (margins.truth + margins.found > 0.0) {
      f1 += row.f1;
      classes_seen += 1.0;
    }
    scores.rows.push_back(row);
  }
  scores.items = static_cast<int64_t>(items);
  scores.accuracy = Share(right, items);
  scores.macro_f1 = Share(f1, classes_seen);
  if (confusion_) {
    for (const double count : sums) scores.confusion.push_back(static_cast<int64_t>(count));
  }
  return scores;
}

}  // namespace lockstep::trainer
