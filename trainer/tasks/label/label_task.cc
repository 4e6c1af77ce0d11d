#include "trainer/tasks/label/label_task.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "trainer/exit_status.h"
#include "trainer/tasks/label/label_measurement.h"
#include "trainer/tasks/sequence_task.h"

namespace lockstep::trainer {

LabelTask::LabelTask(const proto::RunConfig& config, const RankPlace& place)
    : config_(config),
      place_(place),
      dataset_(io::SequenceDataset::Open(config.data().path())),
      facts_(FactsOf(dataset_, config)),
      metrics_(LabelMeasurement::MetricsOf(facts_)) {}

void LabelTask::PrepareTraining() {
  sequences_.emplace(SequencesOf(dataset_, config_.data(), config_.data().split()));
  RequireSequences(dataset_, config_.data().split());
  if (const double probability = config_.data().unknown_singletons(); probability > 0.0) {
    singletons_ = UnknownSingletons::Of(dataset_, "text", config_.data().split(), probability);
  }
}

std::string LabelTask::DescribeData() const {
  std::string text = DescribeSequences(*sequences_);
  if (!facts_.labels.empty()) text += fmt::format(", {} labels", facts_.labels.size());
  if (!facts_.tags.empty()) text += fmt::format(", {} tags", facts_.tags.size());
  return text + fmt::format(", vocabulary {}", facts_.vocabulary.size());
}

std::string LabelTask::DescribeModel() const {
  const int64_t embedding = config_.model().embedding_size();
  return fmt::format("{}{}",
                     embedding > 0 ? fmt::format("embedding {}", embedding) : "one-hot input",
                     config_.model().bidirectional() ? ", both directions" : "");
}

ModelSize LabelTask::Size() const {
  const worker::SequenceLabeler empty(LabelerOptions(config_, facts_), worker::Pass::kNone);
  const auto [items, length] = LargestPart(*sequences_, place_.ranks);
  return SizeOf(empty, length, items);
}

void LabelTask::Allocate(worker::Pass pass) {
  model_ = std::make_unique<worker::SequenceLabeler>(LabelerOptions(config_, facts_), pass);
}

std::vector<Task::Embedding> LabelTask::embeddings() const {
  return {
      {"", config_.model().pretrained_vectors(), &facts_.vocabulary, model_->embedding_weight()}};
}

double LabelTask::Read(const BatchPlace& place) {
  SplitSequences::Part part =
      sequences_->PartOfRank(sequences_->batches().Shuffled(place.seed, place.epoch, place.batch),
                             place_.rank, place_.ranks);
  batch_.Read(dataset_, facts_, part.examples);
  lanes_ = std::move(part.lanes);
  singletons_.Replace(SiteOf(place, lanes_), batch_.steps(), batch_.tokens());
  return batch_.Weight(facts_);
}

double LabelTask::Forward(const BatchPlace& place, worker::RecurrentState&) {
  if (batch_.empty()) return 0.0;
  return model_->Forward(batch_.view(), SiteOf(place, lanes_)).loss;
}

void LabelTask::Backward(const worker::GradientReady& ready) {
  if (!batch_.empty()) model_->Backward(ready);
}

bool LabelTask::CanMeasure(const std::string& split) const {
  return dataset_.split(split).size() > 0;
}

std::unique_ptr<Measurement> LabelTask::Measure(const std::string& split, int64_t most, bool full) {
  return std::make_unique<LabelMeasurement>(
      *model_, dataset_, facts_, SequencesOf(dataset_, config_.data(), split, most), place_, full);
}

// As of a language model: 1 more than twice that of a uniform guess or of the first step.
double LabelTask::HopelessLoss(double first_loss) const {
  const size_t classes = std::max(facts_.labels.size(), facts_.tags.size());
  return 2.0 * std::max(std::log(static_cast<double>(classes)), first_loss) + 1.0;
}

void LabelTask::Adopt(const io::CheckpointHeader& header, const std::string& origin) {
  LabelFacts facts = LoadFacts(header, origin);
  const auto require = [&](bool same, const char* what) {
    RequireSameMeaning(same, dataset_, what, origin);
  };
  require(facts.vocabulary == facts_.vocabulary, "tokens");
  require(facts.labels == facts_.labels, "labels");
  require(facts.tags == facts_.tags, "tags");
  facts_ = std::move(facts);
}

}  // namespace lockstep::trainer
