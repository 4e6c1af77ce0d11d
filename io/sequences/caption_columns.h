#ifndef LOCKSTEP_IO_SEQUENCES_CAPTION_COLUMNS_H_
#define LOCKSTEP_IO_SEQUENCES_CAPTION_COLUMNS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/datasets/channel_moments.h"
#include "io/datasets/sequence_dataset.h"
#include "io/sequences/stored_example.h"

namespace lockstep::io {

/// The features of captions: what their columns hold, and the vector that an example's features
/// are. A column of numbers is one number; any other is one for each value that it has in the
/// training examples, 1 for the example's own ("column=value").
class CaptionColumns {
 public:
  /// Most values of a column that is no numbers.
  static constexpr size_t kMostValues = 1000;

  /// `chosen`: somebody named them. Otherwise columns that are no numbers are left out.
  void SetNames(std::vector<std::string> names, bool chosen);
  bool empty() const { return columns_.empty(); }
  std::vector<std::string> names() const;

  /// First, for each row of a table: `place` is its file and line.
  void Look(std::span<const std::string_view> cells, const std::string& file, uint64_t line);
  /// Second. `given`: the vector is to be that of the file `origin`: its numbers and their scaling;
  /// other columns are left out. InputError for a column of numbers that lacks some, when no column
  /// is left, or when one is missing that `given` is made of.
  void Decide(const SequenceField* given = nullptr, const std::string& origin = "");
  /// Third, unless the vector is given, for each training example. InputError for a column of too
  /// many values.
  void Learn(const StoredExample& example);
  /// Fourth: the field of the dataset.
  SequenceField MakeField();
  /// Then, for each example.
  void Encode(const StoredExample& example, std::vector<float>* vector);

  /// How the columns were understood, for a person; what is left out; values that training lacks.
  std::vector<std::string> Notes() const;
  std::vector<std::string> Warnings() const;

 private:
  struct Place {
    std::string file;
    uint64_t line = 0;
    std::string cell;
    std::string Text() const;
  };
  struct Column {
    std::string name;
    std::optional<Place> other;  // the first cell that is no number
    uint64_t numbers_seen = 0, others_seen = 0;
    std::optional<Place> missing;  // the first one without a number
    // By value, where the column is no numbers: its place in the vector.
    std::map<std::string, uint32_t, std::less<>> values;
    uint32_t place = 0;   // of a column of numbers
    uint64_t unseen = 0;  // cells with a value that the vector has no place for
    bool used = true;
    bool numbers = true;
  };

  void TakeFrom(const SequenceField& given, const std::string& origin);
  void RequireNumbers() const;
  void Read(const StoredExample& example, std::vector<float>* numbers) const;

  std::vector<Column> columns_;
  bool chosen_ = false;
  std::optional<SequenceField> given_;
  std::string origin_;  // of it
  size_t size_ = 0;     // of the vector
  std::vector<float> numbers_;
  std::optional<ChannelMoments> moments_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_CAPTION_COLUMNS_H_
