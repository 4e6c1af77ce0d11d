#ifndef LOCKSTEP_IO_SEQUENCES_TEXT_COLUMNS_H_
#define LOCKSTEP_IO_SEQUENCES_TEXT_COLUMNS_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/sequences/sequence_import.h"
#include "io/series/csv_reader.h"
#include "io/text/line_reader.h"

namespace lockstep::io {

/// Steps behind the first line of a table, which names its columns, without spaces around them.
/// InputError when there is none.
std::vector<std::string> ReadColumnNames(CsvReader* table);
/// Where the column of this name stands. InputError, naming those there are.
size_t FindColumn(const std::vector<std::string>& names, const std::string& wanted,
                  const std::string& file);
/// InputError unless the row has so many cells.
void RequireCells(const CsvReader& table, size_t count);

/// Two columns of the lines of a file, or of the rows of a table.
class TextColumns {
 public:
  struct Wanted {
    std::array<std::string, 2> columns;  ///< names or numbers; both empty: the first two
    std::array<const char*, 2> options;  ///< that name them: "--label"
    /// Where no column is wanted, tabs behind the first one belong to the second text.
    bool second_is_rest = false;
  };

  /// InputError for columns that are not there.
  TextColumns(const std::filesystem::path& path, const SequenceImportOptions& options,
              const Wanted& wanted, uint64_t* replaced);

  /// Steps to the next line that is not empty; false at the end. InputError for one without these
  /// columns.
  bool Next();
  /// Valid until the next step.
  std::string_view cell(int which) const { return cells_[static_cast<size_t>(which)]; }
  /// The line has columns behind those that are wanted, and nobody said which these are.
  bool has_further() const { return has_further_; }
  /// "FILE, line 7".
  std::string Place() const;
  uint64_t bytes_read() const;

 private:
  void FindColumns(const Wanted& wanted);
  bool NextLine();
  bool NextRow();
  [[noreturn]] void FailForColumns(size_t found, const char* between) const;

  std::unique_ptr<LineReader> lines_;  // one of these
  std::unique_ptr<CsvReader> table_;
  std::array<size_t, 2> places_ = {0, 1};
  size_t row_cells_ = 0;  // 0: at least as many as the places need
  bool wanted_none_ = false;
  bool second_is_rest_ = false;
  bool has_further_ = false;
  std::array<std::string_view, 2> cells_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_TEXT_COLUMNS_H_
