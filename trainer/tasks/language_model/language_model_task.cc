#include "trainer/tasks/language_model/language_model_task.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/data/varied_time_steps.h"
#include "trainer/exit_status.h"
#include "trainer/tasks/language_model/dynamic_evaluation.h"
#include "trainer/tasks/language_model/text_sampler.h"
#include "trainer/tasks/model_options.h"
#include "trainer/tasks/start_from.h"

namespace lockstep::trainer {

// Each lane from a zero state to the end of its stripe.
class LanguageModelTask::TokenMeasurement : public Measurement {
 public:
  TokenMeasurement(ScoreBatch score, const io::Dataset& dataset, const LaneLayout& layout,
                   LaneRange range)
      : kind_(dataset.vocabulary().kind()),
        score_(std::move(score)),
        lanes_(dataset, layout, range) {}

  int64_t batches() const override { return lanes_.layout().batches(); }
  size_t sums() const override { return 1; }
  void Batch(int64_t batch, worker::RecurrentState& state, std::span<double> sums) override {
    sums[0] = score_(lanes_.Read(batch), state);
  }
  std::vector<double> Finish(std::span<const double> sums) const override {
    const double loss = sums[0] / static_cast<double>(lanes_.layout().predictions());
    return {loss, std::exp(loss)};
  }
  double Weight(std::span<const double>) const override {
    return static_cast<double>(lanes_.layout().predictions());
  }
  nlohmann::ordered_json Json(std::span<const double> sums) const override {
    const double loss = Finish(sums)[0];
    return {{"unit", io::TokenKindName(kind_)},
            {"tokens", lanes_.layout().predictions()},
            {"loss", loss},
            {"bits", loss / std::numbers::ln2},
            {"perplexity", std::exp(loss)}};
  }
  std::string Sentence(std::span<const double> sums) const override {
    const double loss = Finish(sums)[0];
    return fmt::format(
        "{} tokens, loss {:.6f} nats a token, {:.4f} bits, perplexity {:.4f} (unit: {})",
        lanes_.layout().predictions(), loss, loss / std::numbers::ln2, std::exp(loss),
        io::TokenKindName(kind_));
  }

 private:
  const io::TokenKind kind_;
  const ScoreBatch score_;
  Lanes lanes_;
};

LanguageModelTask::LanguageModelTask(const proto::RunConfig& config, const RankPlace& place)
    : config_(config),
      place_(place),
      dataset_(io::Dataset::Open(config.data().path())),
      range_(LanesOfRank(config.data().lanes(), place.rank, place.ranks)) {
  const std::vector<int64_t> cutoffs = proto::SoftmaxCutoffs(config_.task().language_model());
  const auto vocabulary = static_cast<int64_t>(dataset_.vocabulary().size());
  if (!cutoffs.empty() && cutoffs.back() >= vocabulary) {
    throw UsageError(
        fmt::format("task.language_model.softmax_cutoffs is \"{}\"; allowed: numbers below {}, the "
                    "size of the vocabulary of {}",
                    softmax_cutoffs(), vocabulary, config.data().path()));
  }
  const int64_t sampled = config_.task().language_model().sampled_softmax();
  if (2 * sampled > vocabulary) {
    throw UsageError(
        fmt::format("task.language_model.sampled_softmax is {}; allowed: at most {}, half of the "
                    "vocabulary of {}",
                    sampled, vocabulary / 2, config.data().path()));
  }
}

void LanguageModelTask::PrepareTraining() {
  const int64_t lanes = config_.data().lanes(), time_steps = config_.data().time_steps();
  const io::Split& split = dataset_.split(config_.data().split());
  const LaneLayout layout(split, lanes, time_steps);
  if (layout.predictions() < lanes * time_steps) {
    throw UsageError(
        fmt::format("{}: split \"{}\" has {} tokens, but one step takes {} (data.lanes {} x "
                    "data.time_steps {}, and one more). Lower these, "
                    "or import more text.",
                    config_.data().path(), split.name, split.size(), lanes * time_steps + 1, lanes,
                    time_steps));
  }
  LayOut(0);
}

// The lanes of an epoch; unless time steps vary, of any.
void LanguageModelTask::LayOut(int64_t epoch) {
  const LaneLayout layout(dataset_.split(config_.data().split()), config_.data().lanes(),
                          config_.data().time_steps());
  if (varies()) {
    lanes_.emplace(dataset_,
                   layout.Varied(VariedTimeSteps(layout.longest(), config_.data().time_steps(),
                                                 config_.training().seed(), epoch)),
                   range_);
  } else {
    lanes_.emplace(dataset_, layout, range_);
  }
  laid_out_epoch_ = epoch;
}

std::string LanguageModelTask::DescribeData() const {
  return fmt::format("{} tokens ({}) to train on, vocabulary {}",
                     dataset_.split(config_.data().split()).size(),
                     io::TokenKindName(dataset_.vocabulary().kind()), dataset_.vocabulary().size());
}

std::string LanguageModelTask::DescribeModel() const {
  const int64_t embedding = config_.model().embedding_size();
  const int64_t sampled = config_.task().language_model().sampled_softmax();
  return (embedding > 0 ? fmt::format("embedding {}", embedding) : "one-hot input") +
         (softmax_cutoffs().empty() ? "" : ", softmax with clusters from " + softmax_cutoffs()) +
         (sampled > 0 ? fmt::format(", softmax over {} sampled tokens", sampled) : "");
}

worker::LanguageModelOptions LanguageModelTask::Options() const {
  return ModelOptions(config_, static_cast<int64_t>(dataset_.vocabulary().size()), place_.ranks);
}

ModelSize LanguageModelTask::Size() const {
  const int64_t most = config_.data().time_steps() + (varies() ? kMostMoreTimeSteps : 0);
  ModelSize size =
      SizeOf(worker::LanguageModel(Options(), worker::Pass::kNone), most, range_.count());
  // Samples are drawn with packed weights, on rank 0.
  if (config_.evaluation().sample_tokens() > 0 && place_.rank == 0) {
    size.working_bytes += size.parameters * static_cast<int64_t>(sizeof(float));
  }
  return size;
}

void LanguageModelTask::Allocate(worker::Pass pass) {
  model_ = std::make_unique<worker::LanguageModel>(Options(), pass);
}

std::vector<std::string> LanguageModelTask::StartFrom(const io::CheckpointReader& checkpoint) {
  const std::optional<io::Vocabulary>& there = checkpoint.header().vocabulary;
  const io::Vocabulary& here = dataset_.vocabulary();
  const std::string origin = checkpoint.path().string();
  if (!there || there->kind() != here.kind()) {
    throw UsageError(fmt::format(
        "{}: cannot be started from: its tokens are not of the kind \"{}\", which {} has.", origin,
        io::TokenKindName(here.kind()), config_.data().path()));
  }
  const std::vector<int64_t> places = PlacesOfTokens(here, *there);
  // A token's number says which cluster it is in.
  if (!softmax_cutoffs().empty() && here != *there) {
    throw UsageError(
        fmt::format("{}: cannot be started from: with task.language_model.softmax_cutoffs the "
                    "vocabulary must be the same, and that of {} is another. Import with "
                    "--vocabulary-from {}.",
                    origin, config_.data().path(), origin));
  }
  std::vector<TokenAxis> of_tokens = {{"embedding.weight", 0}};
  if (softmax_cutoffs().empty()) {
    of_tokens.insert(of_tokens.end(), {{"projection.weight", 0}, {"projection.bias", 0}});
  }
  if (config_.model().embedding_size() == 0) of_tokens.push_back({"rnn.weight_ih_l0", 1});
  CopyParameters(checkpoint, of_tokens, places, static_cast<int64_t>(there->size()), parameters());
  const auto known = std::ranges::count_if(places, [](int64_t place) { return place >= 0; });
  return {
      fmt::format("{} of the {} tokens are known to {}; the others begin as the configuration "
                  "says",
                  known, here.size(), origin)};
}

std::vector<Task::Embedding> LanguageModelTask::embeddings() const {
  return {{"", config_.model().pretrained_vectors(), &dataset_.vocabulary(),
           model_->embedding_weight()}};
}

double LanguageModelTask::Read(const BatchPlace& place) {
  if (varies() && place.epoch != laid_out_epoch_) LayOut(place.epoch);
  batch_ = lanes_->Read(place.batch);
  const int64_t places = batch_.time_steps * batch_.lanes;
  return static_cast<double>(places -
                             std::count(batch_.targets, batch_.targets + places, kNoTarget));
}

double LanguageModelTask::RateFactor() const {
  if (!varies()) return 1.0;
  return static_cast<double>(batch_.time_steps) / config_.data().time_steps();
}

double LanguageModelTask::Forward(const BatchPlace& place, worker::RecurrentState& state) {
  return model_->Forward(batch_, state,
                         {place.seed, static_cast<uint64_t>(place.total_batches), 0, range_.begin});
}

const std::vector<MetricFacts>& LanguageModelTask::metrics() const {
  static const std::vector<MetricFacts> kMetrics = {{"loss", false}, {"perplexity", false}};
  return kMetrics;
}

bool LanguageModelTask::CanMeasure(const std::string& split) const {
  return dataset_.split(split).size() >= 2;
}

std::unique_ptr<Measurement> LanguageModelTask::MeasureWith(ScoreBatch score,
                                                            const std::string& split,
                                                            int64_t most) const {
  const LaneLayout layout(dataset_.split(split), config_.data().lanes(),
                          config_.data().time_steps(), most);
  return std::make_unique<TokenMeasurement>(std::move(score), dataset_, layout, range_);
}

std::unique_ptr<Measurement> LanguageModelTask::Measure(const std::string& split, int64_t most,
                                                        bool) {
  return MeasureWith(
      [this](const auto& batch, auto& state) { return model_->Evaluate(batch, state); }, split,
      most);
}

std::unique_ptr<Measurement> LanguageModelTask::MeasureDynamically(
    const io::CheckpointReader& checkpoint, const DynamicOptions& options, const std::string& split,
    int64_t most) {
  const auto learning = std::make_shared<DynamicEvaluation>(*model_, checkpoint, options);
  return MeasureWith(
      [learning](const auto& batch, auto& state) { return learning->Score(batch, state); }, split,
      most);
}

std::string LanguageModelTask::WriteSample(uint64_t seed) {
  const int64_t tokens = config_.evaluation().sample_tokens();
  if (tokens == 0) return "";
  std::string sample;
  SampleTexts(*model_, dataset_.vocabulary(), {.length = tokens, .options = {.seed = seed}},
              [&](int64_t, const std::string& token) { sample += token; });
  return sample;
}

std::string LanguageModelTask::DescribeLoss(double loss) const {
  return DescribeTokenLoss(loss, dataset_.vocabulary().kind());
}

double LanguageModelTask::HopelessLoss(double first_loss) const {
  return HopelessTokenLoss(static_cast<int64_t>(dataset_.vocabulary().size()), first_loss);
}

void LanguageModelTask::Store(io::CheckpointHeader& header) const {
  header.vocabulary = dataset_.vocabulary();
}

void LanguageModelTask::Adopt(const io::CheckpointHeader& header, const std::string& origin) {
  if (dataset_.vocabulary() == header.vocabulary) return;
  throw UsageError(
      fmt::format("{}: its vocabulary is not the one that {} was trained with, so its numbers "
                  "would mean other tokens. Evaluate on a dataset of "
                  "the same import.",
                  dataset_.path().string(), origin));
}

double HopelessTokenLoss(int64_t vocabulary_size, double first_loss) {
  return 2.0 * std::max(std::log(static_cast<double>(vocabulary_size)), first_loss) + 1.0;
}

std::string DescribeTokenLoss(double loss, io::TokenKind kind) {
  const double bits = loss / std::numbers::ln2;
  switch (kind) {
    case io::TokenKind::kChar:
      return fmt::format("{:.3f} bits/char", bits);
    case io::TokenKind::kByte:
      return fmt::format("{:.3f} bits/byte", bits);
    case io::TokenKind::kWord:
    case io::TokenKind::kWhitespace:
    case io::TokenKind::kSubword:
      break;
  }
  return fmt::format("perplexity {:.2f}", std::exp(loss));
}

}  // namespace lockstep::trainer
