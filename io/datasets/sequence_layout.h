#ifndef LOCKSTEP_IO_DATASETS_SEQUENCE_LAYOUT_H_
#define LOCKSTEP_IO_DATASETS_SEQUENCE_LAYOUT_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "io/hdf5/h5_reader.h"

namespace lockstep::io {

// What the writer and the reader of a dataset of sequences must agree on. The prose is in
// io/FORMATS.md.

inline constexpr char kFieldsGroup[] = "/fields";
inline constexpr char kSequenceSourceUnit[] = "examples";

/// The field whose tokens kTags belong to.
inline constexpr std::string_view kTaggedField = "text";

/// The arrays and groups of a field.
struct SequencePlaces {
  explicit SequencePlaces(std::string_view field);

  std::string group;       ///< has the attribute `kind`
  std::string values;      ///< ids, or numbers [N, F]
  std::string digests;     ///< of their pieces
  std::string lengths;     ///< of kTokens
  std::string vocabulary;  ///< of kTokens
  std::string names;       ///< of all others
  std::string means;       ///< of kVector
  std::string deviations;  ///< of kVector
};

/// A field of a form.
struct FormField {
  std::string_view name;
  SequenceField::Kind kind;
  bool required;
};
/// In the order that examples have them in.
std::span<const FormField> FieldsOf(SequenceForm form);

std::optional<SequenceForm> SequenceFormFromName(std::string_view name);
std::string_view FieldKindName(SequenceField::Kind kind);  ///< "tokens", "tags", ...

/// How many different ids, or numbers, an entry of the field has.
uint64_t FieldSize(const SequenceField& field);

/// What is wrong with fields of a dataset of this form; empty: nothing.
std::string ProblemOfFields(SequenceForm form, const std::vector<SequenceField>& fields);

/// Numbers in a piece of a vector field: 64 kB of them.
inline constexpr uint64_t kPieceNumbers = 16384;
/// Rows in such a piece, which is also a chunk.
inline uint64_t VectorPieceRows(uint64_t width) {
  return std::max<uint64_t>(kPieceNumbers / std::max<uint64_t>(width, 1), 1);
}

/// The digest of what a training sees: of the form, the fields with their vocabularies, and the
/// arrays but the digests of pieces and /sources. io/FORMATS.md has the lines of text it is taken
/// of.
std::string SequencesFingerprint(const H5Reader& reader, SequenceForm form,
                                 const std::vector<SequenceField>& fields);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_SEQUENCE_LAYOUT_H_
