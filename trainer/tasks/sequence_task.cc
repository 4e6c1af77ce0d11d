#include "trainer/tasks/sequence_task.h"

#include <algorithm>

#include <fmt/format.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {

SplitSequences SequencesOf(const io::SequenceDataset& dataset, const proto::Data& data,
                           const std::string& split, int64_t most) {
  return {dataset, split, data.lanes(), data.tokens_per_batch(), most};
}

void RequireSequences(const io::SequenceDataset& dataset, const std::string& split) {
  if (dataset.split(split).size() > 0) return;
  throw UsageError(
      fmt::format("{}: split \"{}\" is empty. Import with other shares, or choose another with "
                  "data.split.",
                  dataset.path().string(), split));
}

void RequireSameMeaning(bool same, const io::SequenceDataset& dataset, const std::string& what,
                        const std::string& origin) {
  if (same) return;
  throw UsageError(
      fmt::format("{}: its {} are not those that {} was trained with, so its numbers would mean "
                  "others. Evaluate on a dataset of the same import, or of one with "
                  "--vocabulary-from this checkpoint.",
                  dataset.path().string(), what, origin));
}

std::string DescribeSequences(const SplitSequences& sequences) {
  return fmt::format("{} texts of {} tokens in {} batches ({:.1f}% padding left out)",
                     sequences.batches().sequences(), sequences.tokens(),
                     sequences.batches().batches(), 100.0 * sequences.PaddingShare());
}

PartSize LargestPart(const SplitSequences& sequences, int ranks) {
  const SequenceBatches& batches = sequences.batches();
  // Of texts of one length a rank has at most one more than its share.
  const int64_t items = (batches.most_items() + ranks - 1) / ranks;
  const int64_t tokens =
      std::max<int64_t>(batches.most_tokens() / ranks, sequences.longest()) + sequences.longest();
  return {std::max<int64_t>(items, 1), (tokens + items - 1) / std::max<int64_t>(items, 1)};
}

worker::DropoutSite SiteOf(const BatchPlace& place, const std::vector<int64_t>& lanes) {
  worker::DropoutSite site;
  site.seed = place.seed;
  site.batch = static_cast<uint64_t>(place.total_batches);
  site.lanes = lanes.data();
  return site;
}

}  // namespace lockstep::trainer
