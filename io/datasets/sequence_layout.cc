#include "io/datasets/sequence_layout.h"

#include <cmath>

#include <fmt/format.h>

#include "io/datasets/id_pieces.h"
#include "io/datasets/stored_vocabulary.h"
#include "io/files/digest.h"

namespace lockstep::io {
namespace {

using Kind = SequenceField::Kind;

constexpr std::string_view kFormNames[] = {"labels", "tags", "pairs", "captions"};
constexpr std::string_view kKindNames[] = {"tokens", "tags", "category", "vector"};

constexpr FormField kLabels[] = {{"text", Kind::kTokens, true}, {"label", Kind::kCategory, true}};
constexpr FormField kTags[] = {
    {"text", Kind::kTokens, true}, {"tags", Kind::kTags, true}, {"label", Kind::kCategory, false}};
constexpr FormField kPairs[] = {{"source", Kind::kTokens, true}, {"target", Kind::kTokens, true}};
constexpr FormField kCaptions[] = {{"vector", Kind::kVector, true}, {"text", Kind::kTokens, true}};

bool ScaleFits(const SequenceField& field) {
  const size_t size = field.kind == Kind::kVector ? field.names.size() : 0;
  const auto finite = [](double number) { return std::isfinite(number); };
  return field.means.size() == size && field.deviations.size() == size &&
         std::ranges::all_of(field.means, finite) &&
         std::ranges::all_of(field.deviations, finite) &&
         std::ranges::all_of(field.deviations, [](double deviation) { return deviation > 0; });
}

}  // namespace

SequencePlaces::SequencePlaces(std::string_view field)
    : group(fmt::format("{}/{}", kFieldsGroup, field)),
      values(group + "/values"),
      digests(group + "/value_digests"),
      lengths(group + "/lengths"),
      vocabulary(group + "/vocabulary"),
      names(group + "/names"),
      means(group + "/means"),
      deviations(group + "/deviations") {}

std::string_view SequenceFormName(SequenceForm form) {
  return kFormNames[static_cast<size_t>(form)];
}

std::optional<SequenceForm> SequenceFormFromName(std::string_view name) {
  const auto found = std::find(std::begin(kFormNames), std::end(kFormNames), name);
  if (found == std::end(kFormNames)) return std::nullopt;
  return static_cast<SequenceForm>(found - std::begin(kFormNames));
}

std::string_view FieldKindName(Kind kind) { return kKindNames[static_cast<size_t>(kind)]; }

std::span<const FormField> FieldsOf(SequenceForm form) {
  switch (form) {
    case SequenceForm::kLabels:
      return kLabels;
    case SequenceForm::kTags:
      return kTags;
    case SequenceForm::kPairs:
      return kPairs;
    default:
      return kCaptions;
  }
}

uint64_t FieldSize(const SequenceField& field) {
  return field.kind == Kind::kTokens ? field.vocabulary.size() : field.names.size();
}

std::string ProblemOfFields(SequenceForm form, const std::vector<SequenceField>& fields) {
  auto next = fields.begin();
  for (const FormField& meant : FieldsOf(form)) {
    if (next == fields.end() || next->name != meant.name || next->kind != meant.kind) {
      if (!meant.required) continue;
      return fmt::format("a dataset of {} lacks the field {} of {}", SequenceFormName(form),
                         meant.name, FieldKindName(meant.kind));
    }
    const uint64_t size = FieldSize(*next);
    if (size == 0 || size > kMostIds) {
      return fmt::format("the field {} cannot have {} {}", meant.name, size,
                         meant.kind == Kind::kTokens ? "tokens" : "names");
    }
    if (!ScaleFits(*next)) return fmt::format("the scale of the field {} is none", meant.name);
    ++next;
  }
  if (next == fields.end()) return "";
  return fmt::format("a dataset of {} has no field {}", SequenceFormName(form), next->name);
}

std::string SequencesFingerprint(const H5Reader& reader, SequenceForm form,
                                 const std::vector<SequenceField>& fields) {
  std::string text = fmt::format("form {}\n", SequenceFormName(form));
  for (const SequenceField& field : fields) {
    text += fmt::format("field {} {}\n", field.name, FieldKindName(field.kind));
    if (field.kind == Kind::kTokens) text += VocabularyLines(field.vocabulary);
  }
  for (const std::string& name : reader.array_names()) {
    if (name.ends_with("/value_digests") || name.starts_with("/sources/")) continue;
    if (name.find("/vocabulary/") != std::string::npos) continue;  // is in a line above
    const H5Array array = reader.OpenArray(name);
    text +=
        fmt::format("{} {}\n", name, DescribeArray(array.type(), array.shape(), array.digest()));
  }
  return DigestHex(text.data(), text.size());
}

}  // namespace lockstep::io
