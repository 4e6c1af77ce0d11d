#include "io/inspect.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/checkpoints/checkpoint_layout.h"
#include "io/datasets/dataset.h"
#include "io/datasets/sequence_dataset.h"
#include "io/datasets/sequence_layout.h"
#include "io/datasets/series_dataset.h"
#include "io/datasets/series_layout.h"
#include "io/datasets/token_layout.h"
#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_reader.h"
#include "io/series/frequency.h"
#include "io/series/time_text.h"
#include "io/text/printable.h"
#include "io/text/subwords.h"

namespace lockstep::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostCommonTokens = 10;
constexpr size_t kMostShown = 100;  // series, categories
constexpr size_t kBlockTokens = size_t{1} << 20;
constexpr std::string_view kParameters = "parameters/";

Json DescribeVocabulary(const Vocabulary& vocabulary) {
  Json json = {{"kind", TokenKindName(vocabulary.kind())}, {"size", vocabulary.size()}};
  json["unknown"] = vocabulary.unknown() ? Json(*vocabulary.unknown()) : Json(nullptr);
  json["normalization"] = Printable(vocabulary.normalization());
  json["lowercase"] = vocabulary.lowercase();
  if (SeparatedByWhiteSpace(vocabulary.kind())) {
    json["line_end"] = vocabulary.line_end() ? Json(*vocabulary.line_end()) : Json(nullptr);
  }
  if (vocabulary.subwords()) json["merges"] = vocabulary.subwords()->merges().size();
  return json;
}

// Reads every token.
std::vector<uint64_t> CountTokens(const Dataset& dataset) {
  std::vector<uint64_t> counts(dataset.vocabulary().size(), 0);
  std::vector<int32_t> block(kBlockTokens);
  for (uint64_t begin = 0; begin < dataset.size_tokens(); begin += kBlockTokens) {
    block.resize(std::min<uint64_t>(kBlockTokens, dataset.size_tokens() - begin));
    dataset.Read(begin, block);
    for (const int32_t token : block) ++counts[static_cast<size_t>(token)];
  }
  return counts;
}

Json MostCommon(const Vocabulary& vocabulary, const std::vector<uint64_t>& counts) {
  std::vector<uint32_t> ids(counts.size());
  for (size_t id = 0; id < ids.size(); ++id) ids[id] = static_cast<uint32_t>(id);
  const auto most = ids.begin() + static_cast<ptrdiff_t>(std::min(ids.size(), kMostCommonTokens));
  std::partial_sort(ids.begin(), most, ids.end(), [&](uint32_t a, uint32_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
  });
  Json json = Json::array();
  for (auto id = ids.begin(); id != most; ++id) {
    json.push_back(
        {{"id", *id}, {"token", Printable(vocabulary.tokens()[*id])}, {"count", counts[*id]}});
  }
  return json;
}

void DescribeSources(const SourceList& sources, const std::string& unit, Json& json) {
  json["source_count"] = sources.count;
  json["sources"] = Json::array();
  for (const Source& source : sources.first) {
    json["sources"].push_back(
        {{"path", Printable(source.path)}, {"bytes", source.bytes}, {unit, source.size}});
  }
}

void DescribeDataset(const std::filesystem::path& path, uint64_t most_sources, Json& json) {
  const Dataset dataset = Dataset::Open(path);
  json["tokens"] = dataset.size_tokens();
  json["splits"] = Json::array();
  for (const Split& split : dataset.splits()) {
    json["splits"].push_back({{"name", Printable(split.name)},
                              {"begin", split.begin},
                              {"end", split.end},
                              {"tokens", split.size()}});
  }
  json["vocabulary"] = DescribeVocabulary(dataset.vocabulary());
  DescribeSources(dataset.ReadSources(most_sources), kSourceUnit, json);
  json["fingerprint"] = dataset.fingerprint();
  json["vocabulary"]["most_common"] = MostCommon(dataset.vocabulary(), CountTokens(dataset));
}

// The least and the most of all series; null when there is none.
Json Range(std::vector<double> values) {
  if (values.empty()) return nullptr;
  const auto [least, most] = std::ranges::minmax(values);
  return {{"min", least}, {"max", most}};
}

Json DescribeCovariates(const std::vector<SeriesCovariate>& covariates) {
  Json json = Json::array();
  for (const SeriesCovariate& covariate : covariates) {
    Json categories = Json::array();
    for (size_t i = 0; i < std::min(covariate.categories.size(), kMostShown); ++i) {
      categories.push_back(Printable(covariate.categories[i]));
    }
    json.push_back({{"name", Printable(covariate.name)},
                    {"category_count", covariate.categories.size()},
                    {"categories", std::move(categories)}});
  }
  return json;
}

Json DescribeChannels(const SeriesDataset& dataset) {
  Json json = Json::array();
  for (size_t channel = 0; channel < dataset.description().channels.size(); ++channel) {
    std::vector<double> means, deviations;
    for (uint64_t i = 0; i < dataset.series_count(); ++i) {
      means.push_back(dataset.means(i)[channel]);
      deviations.push_back(dataset.deviations(i)[channel]);
    }
    json.push_back({{"name", Printable(dataset.description().channels[channel])},
                    {"mean", Range(std::move(means))},
                    {"deviation", Range(std::move(deviations))}});
  }
  return json;
}

// The sums of all series, and the first of them.
void DescribeSeries(const SeriesDataset& dataset, Json& json) {
  const bool has_time = !dataset.description().frequency.none();
  uint64_t rows = 0, future_rows = 0, train = 0, validation = 0, test = 0;
  std::vector<double> lengths;
  json["series"] = Json::array();
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    const Series& series = dataset.series(i);
    rows += series.rows;
    future_rows += series.future_rows;
    train += series.train_end - series.begin;
    validation += series.validation_end - series.train_end;
    test += series.test_end - series.validation_end;
    lengths.push_back(static_cast<double>(series.rows));
    if (i >= kMostShown) continue;
    json["series"].push_back(
        {{"id", Printable(series.id)},
         {"start", has_time ? Json(TimeText(series.start)) : Json(nullptr)},
         {"rows", series.rows},
         {"future_rows", series.future_rows},
         {"splits", {series.begin, series.train_end, series.validation_end, series.test_end}}});
  }
  json["rows"] = rows;
  json["future_rows"] = future_rows;
  json["series_rows"] = Range(std::move(lengths));
  json["splits"] = {{{"name", "train"}, {"rows", train}},
                    {{"name", "validation"}, {"rows", validation}},
                    {{"name", "test"}, {"rows", test}}};
}

void DescribeSeriesDataset(const std::filesystem::path& path, uint64_t most_sources, Json& json) {
  const SeriesDataset dataset = SeriesDataset::Open(path, 0);
  const SeriesDescription& description = dataset.description();
  json["series_count"] = dataset.series_count();
  json["time"] = Printable(description.time);
  json["frequency"] = FrequencyText(description.frequency);
  json["missing"] = MissingModeName(description.missing);
  json["scale"] = description.scaled ? "standard" : "none";
  json["channels"] = DescribeChannels(dataset);
  json["known"] = DescribeCovariates(description.known);
  json["statics"] = DescribeCovariates(description.statics);
  DescribeSeries(dataset, json);
  DescribeSources(dataset.ReadSources(most_sources), kSeriesSourceUnit, json);
  json["fingerprint"] = dataset.fingerprint();
  // With a seal that holds, the values may still not be what their digests say.
  std::vector<float> block;
  const uint64_t width = description.row_width();
  const uint64_t block_rows = std::max<uint64_t>(kBlockTokens / width, 1);
  for (uint64_t row = 0; row < dataset.row_count(); row += block_rows) {
    block.resize(std::min(block_rows, dataset.row_count() - row) * width);
    dataset.ReadRows(row, block);
  }
}

// How often each name or token occurs in a field, and how long its sequences are; reads all of it.
struct FieldCounts {
  std::vector<uint64_t> of_id;
  uint64_t tokens = 0;
  uint64_t longest = 0;
};

FieldCounts CountField(const SequenceDataset& dataset, int field, const Split& split) {
  const SequenceField& described = dataset.fields()[static_cast<size_t>(field)];
  FieldCounts counts;
  counts.of_id.resize(FieldSize(described));
  std::vector<int32_t> ids;
  std::vector<float> numbers(described.names.size());
  for (uint64_t i = split.begin; i < split.end; ++i) {
    if (described.kind == SequenceField::Kind::kVector) {
      dataset.ReadVector(field, i, numbers);
      continue;
    }
    if (described.kind == SequenceField::Kind::kCategory) {
      ids = {dataset.ReadCategory(field, i)};
    } else {
      ids.resize(dataset.Length(field, i));
      dataset.ReadIds(field, i, ids);
    }
    for (const int32_t id : ids) ++counts.of_id[static_cast<size_t>(id)];
    counts.tokens += ids.size();
    counts.longest = std::max<uint64_t>(counts.longest, ids.size());
  }
  return counts;
}

// The names that a field may have, with what is known of each.
Json DescribeNames(const SequenceField& field, const FieldCounts& counts, uint64_t most) {
  Json json = Json::array();
  for (size_t i = 0; i < std::min<uint64_t>(field.names.size(), most); ++i) {
    Json name = {{"name", Printable(field.names[i])}};
    if (field.kind == SequenceField::Kind::kVector) {
      name["mean"] = field.means[i];
      name["deviation"] = field.deviations[i];
    } else {
      name["count"] = counts.of_id[i];
    }
    json.push_back(std::move(name));
  }
  return json;
}

Json DescribeSequenceField(const SequenceDataset& dataset, int field, uint64_t most_names) {
  const SequenceField& described = dataset.fields()[static_cast<size_t>(field)];
  const FieldCounts counts = CountField(dataset, field, {"", 0, dataset.size()});
  Json json = {{"name", described.name}, {"kind", FieldKindName(described.kind)}};
  if (described.kind == SequenceField::Kind::kTokens) {
    json["tokens"] = counts.tokens;
    json["longest"] = counts.longest;
    json["mean_length"] = static_cast<double>(counts.tokens) /
                          static_cast<double>(std::max(dataset.size(), uint64_t{1}));
    json["vocabulary"] = DescribeVocabulary(described.vocabulary);
    json["vocabulary"]["most_common"] = MostCommon(described.vocabulary, counts.of_id);
  } else {
    json["name_count"] = described.names.size();
    json["names"] = DescribeNames(described, counts, most_names);
  }
  return json;
}

void DescribeSequenceDataset(const std::filesystem::path& path, uint64_t most_sources, Json& json) {
  const SequenceDataset dataset = SequenceDataset::Open(path, 0);
  json["form"] = SequenceFormName(dataset.form());
  json["examples"] = dataset.size();
  json["splits"] = Json::array();
  for (const Split& split : dataset.splits()) {
    json["splits"].push_back({{"name", Printable(split.name)},
                              {"begin", split.begin},
                              {"end", split.end},
                              {"examples", split.size()}});
  }
  DescribeSources(dataset.ReadSources(most_sources), kSequenceSourceUnit, json);
  json["fingerprint"] = dataset.fingerprint();
  json["fields"] = Json::array();
  for (int field = 0; field < std::ssize(dataset.fields()); ++field) {
    json["fields"].push_back(
        DescribeSequenceField(dataset, field, std::min<uint64_t>(most_sources, kMostShown)));
  }
}

void DescribeCheckpoint(const std::filesystem::path& path, uint64_t /*most_sources*/, Json& json) {
  const H5Reader reader(path);
  uint64_t parameters = 0;
  Json tensors = Json::array();
  for (const std::string& name : reader.array_names()) {
    if (IsOfCheckpointHeader(name)) continue;
    const H5Array array = reader.OpenArray(name);
    array.Verify();  // with a seal that holds, this may still not be what its digest says
    const std::string relative = name.substr(1);
    const std::vector<uint64_t> shape = array.is_scalar() ? std::vector<uint64_t>() : array.shape();
    tensors.push_back({{"name", Printable(relative)}, {"shape", shape}});
    if (relative.starts_with(kParameters)) parameters += array.size();
  }
  json["parameters"] = parameters;
  json["tensors"] = std::move(tensors);
  const CheckpointHeader header = ReadCheckpointHeader(reader);
  json["configuration"] = Printable(header.configuration);
  json["dataset_fingerprint"] = Printable(header.dataset_fingerprint);
  if (header.vocabulary) json["vocabulary"] = DescribeVocabulary(*header.vocabulary);
  for (const auto& [name, vocabulary] : header.vocabularies) {
    json["vocabularies"][Printable(name)] = DescribeVocabulary(vocabulary);
  }
  if (!header.facts.empty()) json["facts"] = Printable(header.facts);
  json["counters"] = Json::object();
  for (const auto& [name, value] : header.counters) json["counters"][Printable(name)] = value;
  json["measures"] = Json::object();
  for (const auto& [name, value] : header.measures) json["measures"][Printable(name)] = value;
}

// Runs `describe`; the first damage that is found goes into `json`.
template <typename Describe>
void DescribeOrSayDamage(Json& json, const Describe& describe) {
  try {
    describe();
  } catch (const DamagedFileError& error) {
    if (json["whole"]) json["damage"] = Printable(error.what());
    json["whole"] = false;
  }
}

}  // namespace

Json InspectFile(const std::filesystem::path& path, uint64_t most_sources) {
  const uint64_t bytes = FileDescriptor::OpenForReading(path).SizeBytes();
  Json json = {{"path", Printable(path.string())}, {"bytes", bytes}, {"whole", true}};
  Seal seal;
  DescribeOrSayDamage(json, [&] {
    seal = PeekSeal(path);
    json = {{"path", json["path"]},
            {"format", Printable(seal.format)},
            {"version", seal.version},
            {"bytes", bytes},
            {"step", seal.step},
            {"digest", seal.digest},
            {"whole", true}};
    ReadSeal(path);
  });
  // Without seal and length there is nothing that HDF5 should be given.
  if (!json["whole"]) return json;
  struct Kind {
    const FileFormat& format;
    void (*describe)(const std::filesystem::path& path, uint64_t most_sources, Json& json);
  };
  static constexpr Kind kKinds[] = {{kDatasetFormat, DescribeDataset},
                                    {kSeriesFormat, DescribeSeriesDataset},
                                    {kSequencesFormat, DescribeSequenceDataset},
                                    {kCheckpointFormat, DescribeCheckpoint}};
  const auto named = std::ranges::find_if(
      kKinds, [&](const Kind& kind) { return kind.format.name == seal.format; });
  const Kind& kind = named == std::end(kKinds) ? std::end(kKinds)[-1] : *named;
  RequireFormat(path, seal, kind.format);
  DescribeOrSayDamage(json, [&] { VerifyFile(path); });
  DescribeOrSayDamage(json, [&] { kind.describe(path, most_sources, json); });
  return json;
}

}  // namespace lockstep::io
