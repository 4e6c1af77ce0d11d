#include "trainer/data/unknown_singletons.h"

#include <utility>

#include <fmt/format.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {

UnknownSingletons::UnknownSingletons(std::vector<bool> singletons, int32_t unknown,
                                     double probability)
    : singletons_(std::move(singletons)), unknown_(unknown), probability_(probability) {}

UnknownSingletons UnknownSingletons::Of(const io::SequenceDataset& dataset, const char* field,
                                        const std::string& split, double probability) {
  const io::Vocabulary& vocabulary = dataset.field(field).vocabulary;
  if (!vocabulary.unknown()) {
    throw UsageError(
        fmt::format("{}: its vocabulary has no token for unknown ones, but data.unknown_singletons "
                    "is {}. Set that to 0, or import words.",
                    dataset.path().string(), probability));
  }
  std::vector<bool> once(vocabulary.size()), more(vocabulary.size());
  std::vector<int32_t> ids;
  const int index = dataset.Find(field);
  const io::Split& examples = dataset.split(split);
  for (uint64_t example = examples.begin; example < examples.end; ++example) {
    ids.resize(dataset.Length(index, example));
    dataset.ReadIds(index, example, ids);
    for (const int32_t id : ids) {
      if (once[id]) more[id] = true;
      once[id] = true;
    }
  }
  for (size_t id = 0; id < once.size(); ++id) once[id] = once[id] && !more[id];
  return {std::move(once), static_cast<int32_t>(*vocabulary.unknown()), probability};
}

void UnknownSingletons::Replace(const worker::DropoutSite& site, const worker::PackedSteps& steps,
                                std::vector<int32_t>& tokens) const {
  if (probability_ == 0.0) return;
  constexpr auto kPurpose = worker::RandomPurpose::kUnknownSingletons;
  for (int64_t t = 0; t < steps.time_steps(); ++t) {
    for (int64_t item = 0; item < steps.items_at(t); ++item) {
      int32_t& token = tokens[steps.first_row(t) + item];
      if (singletons_[token] && worker::DrawAt(site, kPurpose, t, item) < probability_) {
        token = unknown_;
      }
    }
  }
}

}  // namespace lockstep::trainer
