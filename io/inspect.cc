#include "io/inspect.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unicode/utf8.h>

#include "io/checkpoints/checkpoint_layout.h"
#include "io/datasets/dataset.h"
#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_reader.h"

namespace lockstep::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostCommonTokens = 10;
constexpr size_t kBlockTokens = size_t{1} << 20;
constexpr std::string_view kParameters = "parameters/";

// JSON is UTF-8; a byte that is not becomes \xNN.
std::string Printable(const std::string& text) {
  std::string out;
  const int32_t size = static_cast<int32_t>(text.size());
  for (int32_t next = 0; next < size;) {
    const int32_t begin = next;
    UChar32 code_point;
    U8_NEXT(text.data(), next, size, code_point);
    for (int32_t i = begin; i < next; ++i) {
      if (code_point >= 0) {
        out += text[i];
      } else {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
      }
    }
  }
  return out;
}

Json DescribeVocabulary(const Vocabulary& vocabulary) {
  Json json = {{"kind", TokenKindName(vocabulary.kind())}, {"size", vocabulary.size()}};
  json["unknown"] = vocabulary.unknown() ? Json(*vocabulary.unknown()) : Json(nullptr);
  json["normalization"] = Printable(vocabulary.normalization());
  json["lowercase"] = vocabulary.lowercase();
  return json;
}

// Reads every token.
Json MostCommon(const Dataset& dataset) {
  std::vector<uint64_t> counts(dataset.vocabulary().size(), 0);
  std::vector<int32_t> block(kBlockTokens);
  for (uint64_t begin = 0; begin < dataset.size_tokens(); begin += kBlockTokens) {
    block.resize(std::min<uint64_t>(kBlockTokens, dataset.size_tokens() - begin));
    dataset.Read(begin, block);
    for (const int32_t token : block) ++counts[static_cast<size_t>(token)];
  }
  std::vector<uint32_t> ids(counts.size());
  for (size_t id = 0; id < ids.size(); ++id) ids[id] = static_cast<uint32_t>(id);
  const auto most = ids.begin() + static_cast<ptrdiff_t>(std::min(ids.size(), kMostCommonTokens));
  std::partial_sort(ids.begin(), most, ids.end(), [&](uint32_t a, uint32_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
  });
  Json json = Json::array();
  for (auto id = ids.begin(); id != most; ++id) {
    json.push_back({{"id", *id},
                    {"token", Printable(dataset.vocabulary().tokens()[*id])},
                    {"count", counts[*id]}});
  }
  return json;
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
  const SourceList sources = dataset.ReadSources(most_sources);
  json["source_count"] = sources.count;
  json["sources"] = Json::array();
  for (const Source& source : sources.first) {
    json["sources"].push_back(
        {{"path", Printable(source.path)}, {"bytes", source.bytes}, {"tokens", source.tokens}});
  }
  json["fingerprint"] = dataset.fingerprint();
  json["vocabulary"]["most_common"] = MostCommon(dataset);
}

void DescribeCheckpoint(const std::filesystem::path& path, Json& json) {
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
  const bool is_dataset = seal.format == kDatasetFormat.name;
  RequireFormat(path, seal, is_dataset ? kDatasetFormat : kCheckpointFormat);
  DescribeOrSayDamage(json, [&] { VerifyFile(path); });
  DescribeOrSayDamage(json, [&] {
    is_dataset ? DescribeDataset(path, most_sources, json) : DescribeCheckpoint(path, json);
  });
  return json;
}

}  // namespace lockstep::io
