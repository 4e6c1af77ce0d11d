#include "trainer/tasks/label/label_measurement.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/data/packed_sequences.h"
#include "trainer/tasks/label/label_tables.h"

namespace lockstep::trainer {
namespace {

// A table of more classes would be more than anyone reads, and its sums travel with every batch.
constexpr size_t kMostClassesInConfusion = 500;

int32_t Likeliest(std::span<const float> probabilities) {
  return static_cast<int32_t>(std::ranges::max_element(probabilities) - probabilities.begin());
}

// Tags that are no parts of spans have no F1.
bool HasSpans(const LabelFacts& facts) { return !SpanF1(facts.tags).scheme().empty(); }

double Share(double part, double all) {
  return all > 0.0 ? part / all : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

LabelMeasurement::LabelMeasurement(worker::SequenceLabeler& model,
                                   const io::SequenceDataset& dataset, const LabelFacts& facts,
                                   SplitSequences sequences, const RankPlace& place, bool full)
    : model_(model),
      dataset_(dataset),
      facts_(facts),
      sequences_(std::move(sequences)),
      place_(place),
      confusion_(full && facts.labels.size() <= kMostClassesInConfusion) {}

std::vector<MetricFacts> LabelMeasurement::MetricsOf(const LabelFacts& facts) {
  std::vector<MetricFacts> metrics = {{"loss"}};
  if (!facts.labels.empty()) {
    metrics.push_back({"accuracy", true});
    metrics.push_back({"macro_f1", true});
  }
  if (!facts.tags.empty()) {
    metrics.push_back({"token_accuracy", true});
    if (HasSpans(facts)) metrics.push_back({"span_f1", true});
    metrics.push_back({"exact_match", true});
  }
  return metrics;
}

ClassificationCounts LabelMeasurement::NewClasses() const {
  return ClassificationCounts(std::ssize(facts_.labels), confusion_);
}

size_t LabelMeasurement::sums() const {
  return kFixedSums + (has_labels() ? NewClasses().size() : 0) +
         (has_tags() ? SpanF1(facts_.tags).size() : 0);
}

bool LabelMeasurement::Count(int64_t item, const worker::LabelOutput& output,
                             ClassificationCounts& classes, SpanF1& spans) const {
  bool right = true;
  if (has_labels()) {
    const size_t labels = facts_.labels.size();
    const int32_t found =
        Likeliest(std::span(output.label_probabilities).subspan(item * labels, labels));
    classes.Add(batch_.labels()[item], found);
    right = found == batch_.labels()[item];
  }
  if (has_tags()) {
    const auto truth = Unpack<int32_t>(batch_.steps(), item, batch_.tags());
    const auto found = Unpack<int32_t>(batch_.steps(), item, output.tags);
    spans.Add(truth, found);
    right = right && truth == found;
  }
  return right;
}

void LabelMeasurement::Batch(int64_t batch, worker::RecurrentState&, std::span<double> sums) {
  std::ranges::fill(sums, 0.0);
  const SplitSequences::Part part =
      sequences_.PartOfRank(sequences_.batches().Ordered(batch), place_.rank, place_.ranks);
  if (part.examples.empty()) return;
  batch_.Read(dataset_, facts_, part.examples);
  worker::LabelOutput output;
  const worker::LabelSum sum = model_.Evaluate(batch_.view(), &output);
  ClassificationCounts classes = NewClasses();
  SpanF1 spans(facts_.tags);
  sums[kLoss] = sum.loss;
  sums[kWeight] = sum.weight;
  sums[kTexts] = static_cast<double>(batch_.steps().items());
  for (int64_t item = 0; item < batch_.steps().items(); ++item) {
    if (Count(item, output, classes, spans)) ++sums[kRightTexts];
  }
  auto rest = sums.subspan(kFixedSums);
  if (has_labels()) {
    std::ranges::copy(classes.sums(), rest.begin());
    rest = rest.subspan(classes.size());
  }
  if (has_tags()) std::ranges::copy(spans.sums(), rest.begin());
}

ClassScores LabelMeasurement::Classes(std::span<const double> sums) const {
  const ClassificationCounts classes = NewClasses();
  return classes.Finish(sums.subspan(kFixedSums, classes.size()));
}

SpanScores LabelMeasurement::Spans(std::span<const double> sums) const {
  const SpanF1 spans(facts_.tags);
  return spans.Finish(sums.last(spans.size()));
}

std::vector<double> LabelMeasurement::Finish(std::span<const double> sums) const {
  std::vector<double> values = {Share(sums[kLoss], sums[kWeight])};
  if (has_labels()) {
    const ClassScores scores = Classes(sums);
    values.push_back(scores.accuracy);
    values.push_back(scores.macro_f1);
  }
  if (has_tags()) {
    const SpanScores scores = Spans(sums);
    values.push_back(scores.token_accuracy);
    if (HasSpans(facts_)) values.push_back(scores.all.f1());
    values.push_back(Share(sums[kRightTexts], sums[kTexts]));
  }
  return values;
}

nlohmann::ordered_json LabelMeasurement::Json(std::span<const double> sums) const {
  nlohmann::ordered_json json = {{"texts", static_cast<int64_t>(sums[kTexts])},
                                 {"loss", Share(sums[kLoss], sums[kWeight])}};
  if (has_labels()) AddClasses(Classes(sums), facts_.labels, json);
  if (has_tags()) {
    AddSpans(Spans(sums), SpanF1(facts_.tags).scheme(), json);
    json["exact_match"] = Share(sums[kRightTexts], sums[kTexts]);
  }
  return json;
}

std::string LabelMeasurement::Sentence(std::span<const double> sums) const {
  std::string text = fmt::format("{} texts, loss {:.6f}", static_cast<int64_t>(sums[kTexts]),
                                 Share(sums[kLoss], sums[kWeight]));
  std::string tables;
  if (has_labels()) {
    const ClassScores scores = Classes(sums);
    text += fmt::format(", accuracy {:.4f}, macro F1 {:.4f}", scores.accuracy, scores.macro_f1);
    tables += ClassTable(scores, facts_.labels);
  }
  if (has_tags()) {
    const SpanScores scores = Spans(sums);
    const std::string_view scheme = SpanF1(facts_.tags).scheme();
    text += fmt::format(", token accuracy {:.4f}", scores.token_accuracy);
    if (!scheme.empty()) {
      text += fmt::format(", span F1 {:.4f} ({})", scores.all.f1(), scheme);
      tables += SpanTable(scores);
    }
    text += fmt::format(", all of a text right {:.4f}", Share(sums[kRightTexts], sums[kTexts]));
  }
  return text + tables;
}

}  // namespace lockstep::trainer
