#include "trainer/tasks/translate/translate_measurement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/tasks/translate/target_search.h"
#include "trainer/tasks/translate/target_text.h"

namespace lockstep::trainer {
namespace {

// What an unknown token is on either side: one word each that the other side never has.
constexpr char kUnknownTruth[] = "\u2047";  // ⁇
constexpr char kUnknownFound[] = "\uFFFD";

std::string TextWith(const io::Vocabulary& vocabulary, std::span<const int32_t> tokens,
                     const char* unknown) {
  return TextOf(vocabulary, tokens, [&](size_t) { return std::string(unknown); });
}

double Share(double part, double all) {
  return all > 0.0 ? part / all : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

TranslateMeasurement::TranslateMeasurement(worker::EncoderDecoder& model,
                                           const io::SequenceDataset& dataset,
                                           const TranslateFacts& facts, SplitSequences sequences,
                                           const RankPlace& place,
                                           const worker::SearchOptions& search)
    : model_(model),
      dataset_(dataset),
      facts_(facts),
      sequences_(std::move(sequences)),
      place_(place),
      search_(search) {}

const std::vector<MetricFacts>& TranslateMeasurement::Metrics() {
  static const std::vector<MetricFacts> kMetrics = {
      {"loss"}, {"perplexity"}, {"exact_match", true}, {"bleu", true}, {"chrf", true}};
  return kMetrics;
}

void TranslateMeasurement::Batch(int64_t batch, worker::RecurrentState&, std::span<double> sums) {
  std::ranges::fill(sums, 0.0);
  const SplitSequences::Part part =
      sequences_.PartOfRank(sequences_.batches().Ordered(batch), place_.rank, place_.ranks);
  if (part.examples.empty()) return;
  batch_.Read(dataset_, facts_, part.examples);
  const worker::PairSum sum = model_.Evaluate(batch_.view(), &sums[kRightTokens]);
  sums[kLoss] = sum.loss;
  sums[kTokens] = sum.weight;
  CompareTexts(sums);
}

void TranslateMeasurement::CompareTexts(std::span<double> sums) const {
  const auto found = FindTargets(model_, batch_.sources(), search_);
  Bleu bleu;
  ChrF chrf;
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string truth = TextWith(facts_.target, batch_.targets()[i], kUnknownTruth);
    const std::string text =
        found[i].empty() ? "" : TextWith(facts_.target, found[i].front().tokens, kUnknownFound);
    sums[kTexts] += 1.0;
    if (text == truth) sums[kRightTexts] += 1.0;
    bleu.Add(text, truth);
    chrf.Add(text, truth);
  }
  std::ranges::copy(bleu.sums(), sums.subspan(kFixedSums).begin());
  std::ranges::copy(chrf.sums(), sums.subspan(kFixedSums + Bleu::kSize).begin());
}

std::vector<double> TranslateMeasurement::Finish(std::span<const double> sums) const {
  const double loss = Share(sums[kLoss], sums[kTokens]);
  return {loss, std::exp(loss), Share(sums[kRightTexts], sums[kTexts]),
          Bleu::Finish(sums.subspan(kFixedSums, Bleu::kSize)).score,
          ChrF::Finish(sums.subspan(kFixedSums + Bleu::kSize, ChrF::kSize))};
}

nlohmann::ordered_json TranslateMeasurement::Json(std::span<const double> sums) const {
  const BleuScore bleu = Bleu::Finish(sums.subspan(kFixedSums, Bleu::kSize));
  const std::vector<double> values = Finish(sums);
  nlohmann::ordered_json json = {
      {"unit", "tokens"},
      {facts_.is_caption() ? "texts" : "pairs", static_cast<int64_t>(sums[kTexts])},
      {"tokens", static_cast<int64_t>(sums[kTokens])}};
  for (size_t i = 0; i < values.size(); ++i) json[Metrics()[i].name] = values[i];
  json["token_accuracy"] = Share(sums[kRightTokens], sums[kTokens]);
  json["bleu_precisions"] = bleu.precisions;
  json["bleu_brevity_penalty"] = bleu.brevity_penalty;
  json["bleu_lengths"] = {bleu.length, bleu.truth_length};
  json["bleu_signature"] = Bleu::Signature();
  json["chrf_signature"] = ChrF::Signature();
  json["beam"] = search_.beam;
  return json;
}

std::string TranslateMeasurement::Sentence(std::span<const double> sums) const {
  const std::vector<double> values = Finish(sums);
  const BleuScore bleu = Bleu::Finish(sums.subspan(kFixedSums, Bleu::kSize));
  return fmt::format(
      "{} {}, {} tokens, loss {:.6f} nats a token, perplexity {:.4f}, exact match {:.4f}, "
      "token accuracy {:.4f} (beam {})\n"
      "  BLEU {:.2f}  {:.1f}/{:.1f}/{:.1f}/{:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} "
      "ref_len = {})  {}\n"
      "  chrF2 {:.2f}  {}",
      static_cast<int64_t>(sums[kTexts]), facts_.is_caption() ? "texts" : "pairs",
      static_cast<int64_t>(sums[kTokens]), values[0], values[1], values[2],
      Share(sums[kRightTokens], sums[kTokens]), search_.beam, bleu.score, bleu.precisions[0],
      bleu.precisions[1], bleu.precisions[2], bleu.precisions[3], bleu.brevity_penalty,
      Share(static_cast<double>(bleu.length), static_cast<double>(bleu.truth_length)), bleu.length,
      bleu.truth_length, Bleu::Signature(), values[4], ChrF::Signature());
}

}  // namespace lockstep::trainer
