#ifndef LOCKSTEP_IO_SEQUENCES_GIVEN_FIELDS_H_
#define LOCKSTEP_IO_SEQUENCES_GIVEN_FIELDS_H_

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "io/datasets/sequence_layout.h"
#include "io/sequences/sequence_import.h"

namespace lockstep::io {

/// What the files that an import's options name say of its fields, so that numbers of the new
/// dataset mean what they mean there.
class GivenFields {
 public:
  /// Reads the files. InputError for a file that says nothing of the fields, and where it
  /// contradicts the other options; DamagedFileError.
  explicit GivenFields(const SequenceImportOptions& options);

  /// The field of this name: of one of tokens the vocabulary, of others the names; null where
  /// nothing is said of it.
  const SequenceField* Find(std::string_view field) const;
  /// The file that says it.
  const std::string& OriginOf(std::string_view field) const;

 private:
  /// `fields`: the file's; nullopt where it is a list of tokens.
  void TakeTokens(const SequenceImportOptions& options, std::string_view field,
                  const std::filesystem::path& path,
                  const std::optional<std::vector<SequenceField>>& fields);
  void TakeNames(const FormField& field, const std::filesystem::path& path,
                 const std::vector<SequenceField>& fields);
  void RequireOneWhereShared(const SequenceImportOptions& options) const;
  void RequireUseOfMerges(const SequenceImportOptions& options) const;

  struct Given {
    SequenceField field;
    std::string origin;
    bool is_list = false;  ///< a text file's
  };
  std::vector<Given> given_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_GIVEN_FIELDS_H_
