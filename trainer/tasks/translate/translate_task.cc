#include "trainer/tasks/translate/translate_task.h"

#include <algorithm>

#include <fmt/format.h>

#include "trainer/exit_status.h"
#include "trainer/tasks/language_model/language_model_task.h"
#include "trainer/tasks/sequence_task.h"

namespace lockstep::trainer {

TranslateTask::TranslateTask(const proto::RunConfig& config, const RankPlace& place)
    : config_(config),
      place_(place),
      dataset_(io::SequenceDataset::Open(config.data().path())),
      facts_(TranslateFacts::Of(dataset_, config)) {}

void TranslateTask::PrepareTraining() {
  sequences_.emplace(SequencesOf(dataset_, config_.data(), config_.data().split()));
  RequireSequences(dataset_, config_.data().split());
}

std::string TranslateTask::DescribeData() const {
  const std::string text = DescribeSequences(*sequences_);
  if (facts_.is_caption()) {
    return text + fmt::format(", from {} numbers, vocabulary {}", facts_.vector.size(),
                              facts_.target.size());
  }
  return text +
         fmt::format(", vocabularies {} and {}", facts_.source->size(), facts_.target.size());
}

std::string TranslateTask::DescribeModel() const {
  const proto::Task& task = config_.task();
  const int64_t embedding = config_.model().embedding_size();
  return fmt::format(
      "{}, {}{}",
      proto::Translate::Conditioning_Name(task.has_caption() ? task.caption().conditioning()
                                                             : task.translate().conditioning()),
      embedding > 0 ? fmt::format("embedding {}", embedding) : "one-hot input",
      config_.model().bidirectional() ? ", encoder of both directions" : "");
}

ModelSize TranslateTask::Size() const {
  const worker::EncoderDecoder empty(ModelOptions(config_, facts_), worker::Pass::kNone);
  const auto [items, length] = LargestPart(*sequences_, place_.ranks);
  return SizeOf(empty, length + 1, items);  // targets have an end
}

void TranslateTask::Allocate(worker::Pass pass) {
  model_ = std::make_unique<worker::EncoderDecoder>(ModelOptions(config_, facts_), pass);
}

std::vector<Task::Embedding> TranslateTask::embeddings() const {
  const proto::Model& model = config_.model();
  return {
      {"source: ", model.pretrained_vectors(), facts_.source ? &*facts_.source : nullptr,
       model_->source_embedding()},
      {"target: ", model.pretrained_target_vectors(), &facts_.target, model_->target_embedding()}};
}

double TranslateTask::Read(const BatchPlace& place) {
  const SplitSequences::Part part =
      sequences_->PartOfRank(sequences_->batches().Shuffled(place.seed, place.epoch, place.batch),
                             place_.rank, place_.ranks);
  batch_.Read(dataset_, facts_, part.examples);
  lanes_.clear();
  for (const int64_t example : batch_.order()) lanes_.push_back(part.lanes[example]);
  return batch_.weight();
}

// Rises over updates, each of so many batches.
double TranslateTask::Sampling(const BatchPlace& place) const {
  const proto::Translate& translate = config_.task().translate();
  if (!config_.task().has_translate() || translate.scheduled_sampling() == 0.0) return 0.0;
  const auto steps = static_cast<double>(place.total_batches) /
                     static_cast<double>(config_.training().accumulate_batches());
  const double share = steps / static_cast<double>(translate.scheduled_sampling_steps());
  return translate.scheduled_sampling() * std::min(1.0, share);
}

double TranslateTask::Forward(const BatchPlace& place, worker::RecurrentState&) {
  if (batch_.empty()) return 0.0;
  return model_->Forward(batch_.view(), SiteOf(place, lanes_), Sampling(place)).loss;
}

void TranslateTask::Backward(const worker::GradientReady& ready) {
  if (!batch_.empty()) model_->Backward(ready);
}

bool TranslateTask::CanMeasure(const std::string& split) const {
  return dataset_.split(split).size() > 0;
}

std::unique_ptr<Measurement> TranslateTask::Measure(const std::string& split, int64_t most, bool) {
  return std::make_unique<TranslateMeasurement>(*model_, dataset_, facts_,
                                                SequencesOf(dataset_, config_.data(), split, most),
                                                place_, SearchOptionsOf(config_.task()));
}

double TranslateTask::HopelessLoss(double first_loss) const {
  return HopelessTokenLoss(static_cast<int64_t>(facts_.target.size()) + 1, first_loss);
}

void TranslateTask::Adopt(const io::CheckpointHeader& header, const std::string& origin) {
  TranslateFacts facts = TranslateFacts::Load(header, origin);
  const auto require = [&](bool same, const char* what) {
    RequireSameMeaning(same, dataset_, what, origin);
  };
  require(facts.source == facts_.source, "source tokens");
  require(facts.target == facts_.target, "tokens");
  require(std::ranges::equal(facts.vector, facts_.vector, {}, &TranslateFacts::Number::name,
                             &TranslateFacts::Number::name),
          "columns of numbers");
  facts_ = std::move(facts);  // with its scaling
}

}  // namespace lockstep::trainer
