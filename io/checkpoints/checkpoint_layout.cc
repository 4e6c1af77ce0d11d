#include "io/checkpoints/checkpoint_layout.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "io/datasets/stored_vocabulary.h"

namespace lockstep::io {
namespace {

constexpr char kConfigurationArray[] = "/configuration";
constexpr char kFactsArray[] = "/facts";
constexpr char kVocabulariesGroup[] = "/vocabularies";
constexpr char kCountersGroup[] = "/counters";
constexpr char kMeasuresGroup[] = "/measures";
constexpr char kStepAttribute[] = "step";
constexpr char kFingerprintAttribute[] = "dataset_fingerprint";

std::string GroupOf(const std::string& name) {
  if (name.empty() || name == "." || name.find('/') != std::string::npos) {
    throw std::invalid_argument("a vocabulary named '" + name + "'");
  }
  return std::string(kVocabulariesGroup) + "/" + name;
}

std::map<std::string, Vocabulary> ReadVocabularies(const H5Reader& reader) {
  const std::string prefix = std::string(kVocabulariesGroup) + "/";
  std::map<std::string, Vocabulary> vocabularies;
  for (const std::string& array : reader.array_names()) {
    if (!array.starts_with(prefix)) continue;
    const std::string name =
        array.substr(prefix.size(), array.find('/', prefix.size()) - prefix.size());
    if (!vocabularies.contains(name)) vocabularies[name] = ReadVocabulary(reader, prefix + name);
  }
  return vocabularies;
}

}  // namespace

void WriteCheckpointHeader(H5Writer& writer, const CheckpointHeader& header) {
  writer.WriteAttribute("/", kStepAttribute, header.step);
  writer.WriteAttribute("/", kFingerprintAttribute, header.dataset_fingerprint);
  writer.WriteText(kConfigurationArray, header.configuration);
  if (header.vocabulary) WriteVocabulary(writer, *header.vocabulary);
  for (const auto& [name, vocabulary] : header.vocabularies) {
    WriteVocabulary(writer, vocabulary, GroupOf(name));
  }
  if (!header.facts.empty()) writer.WriteText(kFactsArray, header.facts);
  for (const auto& [name, value] : header.counters) {
    writer.WriteAttribute(kCountersGroup, name, value);
  }
  for (const auto& [name, value] : header.measures) {
    writer.WriteAttribute(kMeasuresGroup, name, value);
  }
}

CheckpointHeader ReadCheckpointHeader(const H5Reader& reader) {
  CheckpointHeader header;
  header.step = reader.ReadInteger("/", kStepAttribute);
  header.dataset_fingerprint = reader.ReadString("/", kFingerprintAttribute);
  header.configuration = reader.ReadText(kConfigurationArray);
  const auto has = [&](const std::string& prefix) {
    return std::ranges::any_of(reader.array_names(),
                               [&](const std::string& name) { return name.starts_with(prefix); });
  };
  if (has(std::string(kVocabularyGroup) + "/")) header.vocabulary = ReadVocabulary(reader);
  header.vocabularies = ReadVocabularies(reader);
  if (has(kFactsArray)) header.facts = reader.ReadText(kFactsArray);
  header.counters = reader.ReadIntegers(kCountersGroup);
  header.measures = reader.ReadReals(kMeasuresGroup);
  return header;
}

bool IsOfCheckpointHeader(const std::string& array) {
  return array == kConfigurationArray || array == kFactsArray ||
         array.starts_with(std::string(kVocabularyGroup) + "/") ||
         array.starts_with(std::string(kVocabulariesGroup) + "/");
}

}  // namespace lockstep::io
