#ifndef LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_TABLES_H_
#define LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_TABLES_H_

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "trainer/tasks/text_metrics/classification.h"
#include "trainer/tasks/text_metrics/span_f1.h"

namespace lockstep::trainer {

// What `lockstep evaluate` shows of labels and of spans.

/// For a person: a row for each label with precision, recall, F1 and number, and, where it was
/// counted, which label was taken for which: a table where it is narrow enough to be read, else
/// what was mistaken most often. Begins with a line feed.
std::string ClassTable(const ClassScores& scores, const std::vector<std::string>& names);
std::string SpanTable(const SpanScores& scores);

/// For a program: "accuracy", "macro_f1", "labels", "confusion"; "token_accuracy", "scheme",
/// "precision", "recall", "span_f1", "spans".
void AddClasses(const ClassScores& scores, const std::vector<std::string>& names,
                nlohmann::ordered_json& json);
void AddSpans(const SpanScores& scores, std::string_view scheme, nlohmann::ordered_json& json);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_TABLES_H_
