#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_CAPTION_CELLS_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_CAPTION_CELLS_H_

#include <string>
#include <string_view>
#include <vector>

#include "trainer/tasks/prediction.h"

namespace lockstep::trainer {

/// Reads the vector of a caption from a line of cells, as the rows of the table had them that was
/// imported: numbers, and values of columns that the import made several numbers of, "COLUMN=VALUE"
/// each. Between cells are tabs; or, in a line without any, commas, or semicolons, or white space.
class CaptionCells {
 public:
  /// `names` of the vector's numbers.
  explicit CaptionCells(std::vector<std::string> names);

  /// A cell for each column, in their order; or, also of a model with COLUMN=VALUE, the numbers
  /// themselves. Of an empty line nothing. UsageError with the number of the line.
  std::vector<float> Read(const InputLine& line) const;

 private:
  /// A column of the table; of numbers where it has no values.
  struct Column {
    std::string name;
    size_t begin = 0;  ///< its first number in the vector
    std::vector<std::string> values;
  };
  std::vector<std::string_view> CellsOf(std::string_view line) const;
  void ReadCell(const Column& column, std::string_view cell, const InputLine& line,
                std::vector<float>& vector) const;

  const std::vector<std::string> names_;
  std::vector<Column> columns_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_CAPTION_CELLS_H_
