#include <cmath>
#include <deque>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/id_pieces.h"
#include "io/datasets/sequence_dataset.h"
#include "io/datasets/sequence_layout.h"
#include "io/datasets/stored_splits.h"
#include "io/datasets/stored_vocabulary.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/publish.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_pieces.h"
#include "io/hdf5/h5_writer.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

using Kind = SequenceField::Kind;

}  // namespace

struct SequenceDatasetWriter::Impl {
  // Either ids or numbers.
  struct Open {
    SequencePlaces places;
    std::optional<IdWriter> ids;
    std::optional<PieceWriter> numbers;
    std::vector<uint32_t> lengths;
  };

  Impl(const std::filesystem::path& output, SequenceForm form_in,
       std::vector<SequenceField> fields_in)
      : form(form_in),
        fields(std::move(fields_in)),
        file(output),
        writer(std::in_place, file.path(), output) {
    writer->WriteAttribute("/", "form", std::string(SequenceFormName(form)));
    for (const SequenceField& field : fields) Start(field);
  }

  void Start(const SequenceField& field) {
    Open& open = opened.emplace_back(Open{SequencePlaces(field.name), {}, {}, {}});
    const SequencePlaces& places = open.places;
    writer->WriteAttribute(places.group, "kind", std::string(FieldKindName(field.kind)));
    const uint64_t limit = FieldSize(field);
    if (field.kind == Kind::kVector) {
      open.numbers.emplace(&*writer, places.values, places.digests, ElementType::kFloat32,
                           std::vector<uint64_t>{VectorPieceRows(limit), limit});
    } else {
      open.ids.emplace(&*writer, places.values, places.digests, limit);
    }
  }

  // Before anything of an example is written.
  void Check(std::span<const SequenceValue> example) const {
    bool fits = example.size() == fields.size();
    uint64_t length = 0;  // of the text, where tags are behind it
    for (size_t i = 0; fits && i < fields.size(); ++i) {
      const auto& [ids, numbers] = example[i];
      const uint64_t limit = FieldSize(fields[i]);
      if (fields[i].kind == Kind::kTokens) {
        length = ids.size();
        fits = length > 0 && length <= kMostIds;
      } else if (fields[i].kind == Kind::kVector) {
        fits = numbers.size() == limit;
        for (const float number : numbers) fits = fits && std::isfinite(number);
        continue;
      } else {
        fits = ids.size() == (fields[i].kind == Kind::kTags ? length : 1);
      }
      for (const uint32_t id : ids) fits = fits && id < limit;
    }
    if (!fits) throw std::invalid_argument(fmt::format("example {} does not fit its fields", size));
  }

  void WriteRest(const std::vector<Split>& splits, const std::vector<Source>& sources) {
    for (size_t i = 0; i < fields.size(); ++i) {
      Open& open = opened[i];
      if (open.ids) open.ids->Finish();
      if (open.numbers) open.numbers->Finish();
      if (fields[i].kind == Kind::kTokens) {
        writer->WriteArray(open.places.lengths, std::span<const uint32_t>(open.lengths));
        WriteVocabulary(*writer, fields[i].vocabulary, open.places.vocabulary);
      } else {
        WriteStringList(*writer, open.places.names, fields[i].names);
      }
      if (open.numbers) {
        writer->WriteArray(open.places.means, std::span<const double>(fields[i].means));
        writer->WriteArray(open.places.deviations, std::span<const double>(fields[i].deviations));
      }
    }
    WriteSplits(*writer, splits);
    WriteSources(*writer, sources, kSequenceSourceUnit);
  }

  SequenceForm form;
  std::vector<SequenceField> fields;
  // In this order: HDF5 lets go of the file before it is removed.
  NewFile file;
  std::optional<H5Writer> writer;
  std::deque<Open> opened;  // of each field
  uint64_t size = 0;
};

SequenceDatasetWriter::SequenceDatasetWriter(const std::filesystem::path& output, SequenceForm form,
                                             std::vector<SequenceField> fields) {
  for (SequenceField& field : fields) {
    if (field.kind != Kind::kVector) continue;
    if (field.means.empty()) field.means.assign(field.names.size(), 0);
    if (field.deviations.empty()) field.deviations.assign(field.names.size(), 1);
  }
  const std::string problem = ProblemOfFields(form, fields);
  if (!problem.empty()) throw std::invalid_argument(output.string() + ": " + problem);
  impl_ = std::make_unique<Impl>(output, form, std::move(fields));
}

SequenceDatasetWriter::~SequenceDatasetWriter() = default;

uint64_t SequenceDatasetWriter::size() const { return impl_->size; }

void SequenceDatasetWriter::Append(std::span<const SequenceValue> example) {
  impl_->Check(example);
  for (size_t i = 0; i < example.size(); ++i) {
    Impl::Open& open = impl_->opened[i];
    if (open.numbers) {
      open.numbers->Append(example[i].numbers.data(), 1);
    } else {
      open.ids->Append(example[i].ids);
    }
    if (impl_->fields[i].kind == Kind::kTokens) {
      open.lengths.push_back(static_cast<uint32_t>(example[i].ids.size()));
    }
  }
  ++impl_->size;
}

std::string SequenceDatasetWriter::Publish(std::span<const uint64_t> ends,
                                           const std::vector<Source>& sources) {
  if (size() == 0) throw InputError("there are no examples to write. Name files that have some.");
  if (ends.empty() || ends.size() > kMostSplits || !std::ranges::is_sorted(ends) ||
      ends.back() != size()) {
    throw std::invalid_argument(
        fmt::format("the splits must end in order, the last at {} examples", size()));
  }
  std::vector<uint64_t> all(ends.begin(), ends.end());
  all.resize(kMostSplits, size());
  impl_->WriteRest(SplitsUntil(all), sources);
  impl_->writer->CloseAndCompare();
  std::string fingerprint =
      SequencesFingerprint(H5Reader(impl_->file.path()), impl_->form, impl_->fields);
  WriteSeal(impl_->file.path(), std::string(kSequencesFormat.name), kSequencesFormat.version, 0);
  impl_->file.Publish();
  return fingerprint;
}

}  // namespace lockstep::io
