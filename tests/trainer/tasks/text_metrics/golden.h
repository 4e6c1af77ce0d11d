#ifndef LOCKSTEP_TESTS_TRAINER_TASKS_TEXT_METRICS_GOLDEN_H_
#define LOCKSTEP_TESTS_TRAINER_TASKS_TEXT_METRICS_GOLDEN_H_

#include <nlohmann/json.hpp>

namespace lockstep::trainer {

/// What sacrebleu and conlleval say: golden.json of this folder; make_golden.py says what is in it.
/// The variable LOCKSTEP_TEXT_METRICS_GOLDEN names another file, one that was made with --many.
const nlohmann::json& TextMetricsGolden();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_TASKS_TEXT_METRICS_GOLDEN_H_
