#ifndef LOCKSTEP_IO_TEXT_SUBWORDS_H_
#define LOCKSTEP_IO_TEXT_SUBWORDS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep::io {

/// A word and how often it occurred.
struct CountedWord {
  std::string word;
  uint64_t count = 0;
};

/// Byte pair encoding of words (Sennrich, Haddow and Birch 2016, "Neural Machine Translation of
/// Rare Words with Subword Units"): a list of merges, learnt from counted words and applied to any
/// word. Merges, pieces and files are those of subword-nmt 0.3.
///
/// A word begins as its characters (code points), the last of them with the mark "</w>"; merges are
/// applied in the order in which they were learnt. A piece as a token is its text, with the mark
/// "@@" unless it ends its word. A word that itself ends in "@@" therefore looks like a piece, as
/// it does in subword-nmt. Immutable; safe from many threads.
class Subwords {
 public:
  /// Two symbols that become one; the mark "</w>" is part of a symbol that ends a word.
  struct Merge {
    std::string left;
    std::string right;
    bool operator==(const Merge&) const = default;
  };
  static constexpr std::string_view kEndOfWord = "</w>";
  static constexpr std::string_view kContinues = "@@";

  /// Of equal merges the first one counts. InputError when a symbol is empty or has a space or a
  /// line end in it, which a codes file could not hold.
  explicit Subwords(std::vector<Merge> merges);

  /// At most `most_merges`, each time of the pair that occurs most often, among equals of the last
  /// one by the bytes of left, then right; ends when no pair occurs `least_count` times. Each word
  /// once, UTF-8, not empty. Memory: some 8 bytes for each character of the distinct words, several
  /// times.
  static Subwords Learn(std::span<const CountedWord> words, uint64_t most_merges,
                        uint64_t least_count = 2);

  /// A codes file of subword-nmt: "#version: 0.2", then a merge on each line. `most` (0: all) takes
  /// the first ones. InputError with file and line.
  static Subwords ReadCodes(const std::filesystem::path& path, uint64_t most = 0);
  /// Replaces the file at once (written beside it, renamed). InputError, SystemError.
  void WriteCodes(const std::filesystem::path& path) const;

  const std::vector<Merge>& merges() const { return merges_; }

  /// The tokens of one word (UTF-8, not empty): "lo@@", "w@@", "er".
  std::vector<std::string> Segment(std::string_view word) const;

  /// Every token that the word has on its way from characters to the pieces of Segment, one perhaps
  /// several times. Words that share characters with this one may end in such pieces, so a
  /// vocabulary should have them.
  std::vector<std::string> Stages(std::string_view word) const;

  /// Whether a token ends in the mark of a piece that another one follows.
  static bool Continues(std::string_view token) {
    return token.size() > kContinues.size() && token.ends_with(kContinues);
  }

 private:
  /// What a pair becomes, and how early.
  struct Product {
    uint32_t rank = 0;
    uint32_t symbol = 0;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  class Pieces;

  uint32_t Intern(const std::string& symbol);
  /// Null when the two do not merge.
  const Product* Find(uint32_t left, uint32_t right) const;

  std::vector<Merge> merges_;
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> symbols_;
  std::unordered_map<uint64_t, Product> products_;  // by left and right
};

/// Of an import: as asked, 10,000 where nothing (0) is.
inline uint64_t MergesToLearn(uint64_t asked) { return asked == 0 ? 10'000 : asked; }

/// InputError where nothing could be written under this name, it is that of the dataset `output`,
/// or Subwords::WriteCodes would take the place of a file that is no codes file.
void RequirePlaceForCodes(const std::filesystem::path& path, const std::filesystem::path& output);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_SUBWORDS_H_
