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
  /// Second. InputError for a column of numbers that lacks some, or when no column is left.
  void Decide();
  /// Third, for each training example. InputError for a column of too many values.
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
    std::optional<Place> other;    // the first cell that is no number
    std::optional<Place> missing;  // the first one without a number
    std::map<std::string, uint32_t, std::less<>> values;
    uint64_t unseen = 0;  // cells with a value that training lacks
    bool used = true;
  };

  void Read(const StoredExample& example, std::vector<float>* numbers) const;

  std::vector<Column> columns_;
  bool chosen_ = false;
  std::vector<float> numbers_;
  std::optional<ChannelMoments> moments_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SEQUENCES_CAPTION_COLUMNS_H_
