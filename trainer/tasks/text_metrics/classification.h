#ifndef LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CLASSIFICATION_H_
#define LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CLASSIFICATION_H_

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::trainer {

/// One class against all others; shares, 0 where nothing is divided by nothing.
struct ClassScore {
  int64_t support = 0;  ///< items of the class
  int64_t found = 0;    ///< items that were said to be of it
  double precision = 0.0, recall = 0.0, f1 = 0.0;
};

struct ClassScores {
  int64_t items = 0;
  double accuracy = 0.0;
  /// Plain mean of the F1 of all classes that an item is of or was said to be of, as scikit-learn's
  /// f1_score(average="macro").
  double macro_f1 = 0.0;
  std::vector<ClassScore> rows;    ///< [C]
  std::vector<int64_t> confusion;  ///< [C, C]: the class, what was said; empty: not counted
};

/// Counts what items of C classes were said to be, as sums that ranks can add.
class ClassificationCounts {
 public:
  /// With `confusion` which class was taken for which is counted, else only what the rows need.
  explicit ClassificationCounts(int64_t classes, bool confusion = true);

  /// std::out_of_range.
  void Add(int32_t truth, int32_t found);

  /// [C, C], or [3, C]: items of a class, said to be of it, and both.
  std::span<const double> sums() const { return counts_; }
  size_t size() const { return counts_.size(); }
  ClassScores Finish(std::span<const double> sums) const;

 private:
  struct Margins {
    double truth = 0.0, found = 0.0, right = 0.0;
  };
  Margins MarginsOf(std::span<const double> sums, int64_t c) const;

  const int64_t classes_;
  const bool confusion_;
  std::vector<double> counts_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CLASSIFICATION_H_
