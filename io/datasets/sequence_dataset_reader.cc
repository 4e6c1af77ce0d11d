#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/id_pieces.h"
#include "io/datasets/sequence_dataset.h"
#include "io/datasets/sequence_layout.h"
#include "io/datasets/sequence_lengths.h"
#include "io/datasets/stored_splits.h"
#include "io/datasets/stored_vocabulary.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_pieces.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

using Kind = SequenceField::Kind;

SequenceForm ReadForm(const H5Reader& reader) {
  const std::string name = reader.ReadString("/", "form");
  const std::optional<SequenceForm> form = SequenceFormFromName(name);
  if (!form) reader.FailBecause("its examples are of an unknown form: " + name);
  return *form;
}

SequenceField ReadField(const H5Reader& reader, const FormField& meant) {
  const SequencePlaces places(meant.name);
  const std::string kind = reader.ReadString(places.group, "kind");
  if (kind != FieldKindName(meant.kind)) {
    reader.FailBecause(
        fmt::format("{} is {} instead of {}", places.group, kind, FieldKindName(meant.kind)));
  }
  SequenceField field{std::string(meant.name), meant.kind, {}, {}};
  if (meant.kind == Kind::kTokens) {
    field.vocabulary = ReadVocabulary(reader, places.vocabulary);
  } else {
    field.names = ReadStringList(reader, places.names);
  }
  if (meant.kind == Kind::kVector) {
    field.means = reader.ReadArray<double>(places.means);
    field.deviations = reader.ReadArray<double>(places.deviations);
  }
  return field;
}

std::vector<SequenceField> ReadFields(const H5Reader& reader, SequenceForm form) {
  std::vector<SequenceField> fields;
  for (const FormField& meant : FieldsOf(form)) {
    const bool there =
        std::ranges::binary_search(reader.array_names(), SequencePlaces(meant.name).values);
    if (there || meant.required) fields.push_back(ReadField(reader, meant));
  }
  const std::string problem = ProblemOfFields(form, fields);
  if (!problem.empty()) reader.FailBecause(problem);
  return fields;
}

SequenceLengths ReadLengths(const H5Reader& reader, const SequencePlaces& places) {
  std::vector<uint32_t> lengths = reader.ReadArray<uint32_t>(places.lengths);
  if (std::ranges::find(lengths, 0u) != lengths.end()) {
    reader.FailBecause(places.lengths + " has a sequence of no tokens");
  }
  return SequenceLengths(std::move(lengths));
}

}  // namespace

struct SequenceDataset::Impl {
  // Either ids or numbers.
  struct Open {
    std::optional<IdReader> ids;
    mutable std::optional<PieceReader> numbers;  // what it keeps in memory changes
    SequenceLengths own_lengths;
    const SequenceLengths* lengths = nullptr;  // of kTokens and kTags
  };

  Impl(const std::filesystem::path& path_in, uint64_t cache_bytes)
      : path(path_in), reader(path), form(ReadForm(reader)), fields(ReadFields(reader, form)) {
    for (const SequenceField& field : fields) OpenField(field, cache_bytes / fields.size());
    splits = ReadSplits(reader, size, "examples");
    fingerprint = SequencesFingerprint(reader, form, fields);
  }

  void OpenField(const SequenceField& field, uint64_t cache_bytes) {
    const SequencePlaces places(field.name);
    Open& open = opened.emplace_back();
    uint64_t examples = 0;
    if (field.kind == Kind::kVector) {
      examples = OpenNumbers(field, places, cache_bytes, open);
    } else {
      open.ids.emplace(reader, places.values, places.digests, FieldSize(field), cache_bytes);
      examples = open.ids->size();
    }
    if (field.kind == Kind::kTokens) {
      open.own_lengths = ReadLengths(reader, places);
      open.lengths = &open.own_lengths;
    } else if (field.kind == Kind::kTags) {
      open.lengths = opened[static_cast<size_t>(Find(kTaggedField))].lengths;
    }
    if (open.lengths != nullptr) {
      if (open.lengths->total() != examples) {
        reader.FailBecause(fmt::format("{} does not fit its lengths", places.values));
      }
      examples = open.lengths->size();
    }
    if (opened.size() > 1 && examples != size) {
      reader.FailBecause("its fields differ in their number of examples");
    }
    size = examples;
  }

  // Returns the number of rows.
  uint64_t OpenNumbers(const SequenceField& field, const SequencePlaces& places,
                       uint64_t cache_bytes, Open& open) {
    const uint64_t width = FieldSize(field);
    open.numbers.emplace(reader, places.values, places.digests, VectorPieceRows(width),
                         cache_bytes);
    const H5Array& array = open.numbers->array();
    if (array.type() != ElementType::kFloat32 || array.shape().size() != 2 ||
        array.shape()[1] != width) {
      reader.FailBecause(fmt::format("{} should be float32 [examples, {}]", places.values, width));
    }
    open.numbers->set_check([this, name = places.values](std::span<const char> piece, uint64_t) {
      const std::span<const float> numbers(reinterpret_cast<const float*>(piece.data()),
                                           piece.size() / sizeof(float));
      if (!std::ranges::all_of(numbers, [](float number) { return std::isfinite(number); })) {
        reader.FailBecause(name + " has a value that is no number");
      }
    });
    return array.shape()[0];
  }

  int Find(std::string_view name) const {
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].name == name) return static_cast<int>(i);
    }
    return -1;
  }

  // The field, which must be of such a kind and have such an example.
  const Open& At(int field, uint64_t example, std::initializer_list<Kind> kinds) const {
    const SequenceField& meant = fields.at(static_cast<size_t>(field));
    if (example >= size || std::ranges::find(kinds, meant.kind) == kinds.end()) {
      throw std::out_of_range(fmt::format("example {} of {} {} of {}: there are {}", example,
                                          meant.name, FieldKindName(meant.kind), path.string(),
                                          size));
    }
    return opened[static_cast<size_t>(field)];
  }

  std::filesystem::path path;
  H5Reader reader;
  SequenceForm form;
  std::vector<SequenceField> fields;
  std::deque<Open> opened;  // of each field
  uint64_t size = 0;
  std::vector<Split> splits;
  std::string fingerprint;
};

SequenceDataset SequenceDataset::Open(const std::filesystem::path& path, uint64_t cache_bytes) {
  RequireFormat(path, ReadSeal(path), kSequencesFormat);
  return SequenceDataset(std::make_unique<Impl>(path, cache_bytes));
}

SequenceDataset::SequenceDataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SequenceDataset::SequenceDataset(SequenceDataset&&) noexcept = default;
SequenceDataset& SequenceDataset::operator=(SequenceDataset&&) noexcept = default;
SequenceDataset::~SequenceDataset() = default;

const std::filesystem::path& SequenceDataset::path() const { return impl_->path; }
const std::string& SequenceDataset::fingerprint() const { return impl_->fingerprint; }
SequenceForm SequenceDataset::form() const { return impl_->form; }
uint64_t SequenceDataset::size() const { return impl_->size; }
const std::vector<SequenceField>& SequenceDataset::fields() const { return impl_->fields; }
int SequenceDataset::Find(std::string_view field) const { return impl_->Find(field); }
const std::vector<Split>& SequenceDataset::splits() const { return impl_->splits; }

const SequenceField& SequenceDataset::field(std::string_view name) const {
  return impl_->fields.at(static_cast<size_t>(Find(name)));
}

const Split& SequenceDataset::split(std::string_view name) const {
  return FindSplit(impl_->splits, name, impl_->path);
}

SourceList SequenceDataset::ReadSources(uint64_t most) const {
  return io::ReadSources(impl_->reader, kSequenceSourceUnit, most);
}

uint32_t SequenceDataset::Length(int field, uint64_t example) const {
  return (*impl_->At(field, example, {Kind::kTokens, Kind::kTags}).lengths)[example];
}

void SequenceDataset::ReadIds(int field, uint64_t example, std::span<int32_t> out) const {
  const Impl::Open& open = impl_->At(field, example, {Kind::kTokens, Kind::kTags});
  if (out.size() != (*open.lengths)[example]) {
    throw std::out_of_range(fmt::format("{} ids of example {} of {}: there are {}", out.size(),
                                        example, impl_->path.string(), (*open.lengths)[example]));
  }
  open.ids->Read(open.lengths->Begin(example), out);
}

int32_t SequenceDataset::ReadCategory(int field, uint64_t example) const {
  int32_t id = 0;
  impl_->At(field, example, {Kind::kCategory}).ids->Read(example, {&id, 1});
  return id;
}

void SequenceDataset::ReadVector(int field, uint64_t example, std::span<float> out) const {
  PieceReader& numbers = *impl_->At(field, example, {Kind::kVector}).numbers;
  const uint64_t width = numbers.array().shape()[1];
  if (out.size() != width) {
    throw std::out_of_range(fmt::format("{} numbers of an example of {}: there are {}", out.size(),
                                        impl_->path.string(), width));
  }
  const uint64_t rows = VectorPieceRows(width);
  const std::span<const char> piece = numbers.Piece(example / rows);
  std::memcpy(out.data(), piece.data() + example % rows * out.size_bytes(), out.size_bytes());
}

}  // namespace lockstep::io
