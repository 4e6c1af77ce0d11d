#ifndef LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_SPAN_F1_H_
#define LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_SPAN_F1_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::trainer {

/// What is right among what was found; shares, 0 where nothing is divided by nothing.
struct SpanScore {
  std::string type;  ///< "PER"; empty: spans without a type, or all of them
  int64_t truth = 0, found = 0, correct = 0;
  double precision() const;
  double recall() const;
  double f1() const;
};

struct SpanScores {
  int64_t tokens = 0;
  double token_accuracy = 0.0;
  SpanScore all;                ///< micro average: the counts of all types together
  std::vector<SpanScore> rows;  ///< one for each type of the tags, sorted by name
};

/// Counts spans of tagged sentences as conlleval does (Tjong Kim Sang and Buchholz 2000, CoNLL), as
/// sums that ranks can add. A tag is PREFIX-TYPE, or a prefix alone; "O" is outside. In B, I and O
/// (IOB1, IOB2) a span begins at B, at I after O, and where the type changes. With E or S among the
/// tags (IOBES), or L and U in their place (BILOU), spans end at E and S, too, and E after O begins
/// one. A sentence begins and ends outside. A span is correct when begin, end and type are.
class SpanF1 {
 public:
  /// `tags` in the order of their ids. They name spans when each is "O" (or the unknown tag
  /// "<unk>", which counts as outside) or has a prefix of one scheme, and one of them is B or I.
  explicit SpanF1(const std::vector<std::string>& tags);

  /// "BIO", "IOBES", "BILOU"; empty: the tags are of tokens only and there are no spans.
  std::string_view scheme() const { return scheme_; }

  /// One sentence: what its tokens are and what was found; ids. std::invalid_argument where they
  /// are not equally many.
  void Add(std::span<const int32_t> truth, std::span<const int32_t> found);

  /// As many for equal tags. Sums over several objects are those of one that was given all.
  std::span<const double> sums() const { return sums_; }
  size_t size() const { return sums_.size(); }
  /// Without spans all scores are 0.
  SpanScores Finish(std::span<const double> sums) const;

 private:
  enum class Prefix : uint8_t { kOutside, kBegin, kInside, kEnd, kSingle };
  struct Tag {
    Prefix prefix = Prefix::kOutside;
    int type = -1;
    bool operator==(const Tag&) const = default;
  };
  struct Part {
    std::string_view prefix, type;
  };
  static Part PartsOf(std::string_view tag);
  static std::string_view SchemeOf(const std::vector<std::string>& tags);
  static bool Ends(Tag before, Tag tag);
  static bool Begins(Tag before, Tag tag);
  void AddStep(Tag truth, Tag found);

  std::string_view scheme_;
  std::vector<Tag> tags_;           // by id
  std::vector<std::string> types_;  // sorted
  Tag last_truth_, last_found_;     // of the token before; outside between sentences
  bool agrees_ = false;             // inside of a span that is correct so far
  std::vector<double> sums_;        // tokens, correct tokens; truth, found, correct of each type
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_SPAN_F1_H_
