#include "io/text/subword_learner.h"

#include <algorithm>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>

namespace lockstep::io {
namespace {

/// How often each pair of symbols stands side by side, and in which words, updated from merge to
/// merge as subword-nmt's learn_bpe.py does it, so that the merges are the same in every case.
///
/// It keeps two counts of a pair. Only pairs that it looks at have a live count; those below a
/// threshold are put aside with what is known of them, and come back when no live pair reaches the
/// threshold any more. That is meant for speed only. But a symbol may come to be in two ways ("ab"
/// and "c", "a" and "bc"), and then the count of a pair that was put aside can grow, which is
/// written over it. So the threshold is part of what is computed, and stands here as it stands
/// there.
class PairCounts {
 public:
  using Pair = std::pair<uint32_t, uint32_t>;

  explicit PairCounts(const std::vector<std::string>& texts) : texts_(texts), best_(Less{this}) {}

  /// Adds to the live count and to the number of places in the word.
  void Change(Pair symbols, uint32_t word, int64_t count, int32_t places) {
    const uint32_t id = IdOf(symbols);
    Entry& entry = entries_[id];
    if (!entry.live) {
      entry.live = true;
      live_.push_back(id);
      Touch(id);
    }
    entry.count += count;
    entry.places.push_back({word, places});
    if (count > 0) Touch(id);
  }

  /// After a series of changes: makes them known to Best.
  void Settle() {
    for (const uint32_t id : touched_) {
      entries_[id].touched = false;
      best_.push({entries_[id].count, id});
    }
    touched_.clear();
  }

  /// The counts of the text itself are complete.
  void Begin() {
    for (Entry& entry : entries_) entry.aside = entry.count;
    const std::optional<uint32_t> best = LiveBest();
    threshold_ = best ? static_cast<double>(entries_[*best].count) / 10 : 0;
  }

  /// The pair to merge next; nullopt when none occurs `least` times.
  std::optional<Pair> Best(uint64_t merges_done, uint64_t least) {
    std::optional<uint32_t> best = LiveBest();
    if (!best || (merges_done > 0 && static_cast<double>(entries_[*best].count) < threshold_)) {
      best = Revive(merges_done);
    }
    if (!best || entries_[*best].count < static_cast<int64_t>(least)) return std::nullopt;
    return entries_[*best].symbols;
  }

  /// The words that the pair has places in; forgets count and places of the pair.
  std::vector<uint32_t> Take(Pair symbols) {
    Entry& entry = entries_[IdOf(symbols)];
    std::vector<Place> places = std::exchange(entry.places, {});
    entry.count = 0;
    std::sort(places.begin(), places.end(),
              [](const Place& a, const Place& b) { return a.word < b.word; });
    std::vector<uint32_t> words;
    for (size_t i = 0; i < places.size();) {
      const uint32_t word = places[i].word;
      int64_t sum = 0;
      for (; i < places.size() && places[i].word == word; ++i) sum += places[i].change;
      if (sum > 0) words.push_back(word);
    }
    return words;
  }

  /// After the merge of this pair, which is done with.
  void Drop(Pair symbols) { entries_[IdOf(symbols)].count = 0; }

  /// Puts the pairs below the threshold aside.
  void Prune() {
    std::erase_if(live_, [this](uint32_t id) {
      Entry& entry = entries_[id];
      if (static_cast<double>(entry.count) >= threshold_) return false;
      entry.aside = entry.count < 0 ? entry.aside + entry.count : entry.count;
      entry.count = 0;
      entry.live = false;
      return true;
    });
  }

 private:
  struct Place {
    uint32_t word = 0;
    int32_t change = 0;
  };
  struct Entry {
    Pair symbols;
    int64_t count = 0;
    int64_t aside = 0;
    bool live = false;
    bool touched = false;
    std::vector<Place> places;  // changes, in the order in which they came
  };
  using Candidate = std::pair<int64_t, uint32_t>;  // a count that the pair had, the pair
  struct Less {
    const PairCounts* counts;
    bool operator()(const Candidate& a, const Candidate& b) const {
      if (a.first != b.first) return a.first < b.first;
      const Pair left = counts->entries_[a.second].symbols;
      const Pair right = counts->entries_[b.second].symbols;
      const std::vector<std::string>& texts = counts->texts_;
      // Bytes of UTF-8 are in the order of code points.
      if (left.first != right.first) return texts[left.first] < texts[right.first];
      return left.second != right.second && texts[left.second] < texts[right.second];
    }
  };

  uint32_t IdOf(Pair symbols) {
    const uint64_t key = uint64_t{symbols.first} << 32 | symbols.second;
    const auto [place, added] = ids_.emplace(key, static_cast<uint32_t>(entries_.size()));
    if (added) {
      entries_.emplace_back();
      entries_.back().symbols = symbols;
    }
    return place->second;
  }

  void Touch(uint32_t id) {
    if (entries_[id].touched) return;
    entries_[id].touched = true;
    touched_.push_back(id);
  }

  /// Every live pair has a candidate that is at least its count.
  std::optional<uint32_t> LiveBest() {
    while (!best_.empty()) {
      const auto [count, id] = best_.top();
      const Entry& entry = entries_[id];
      if (entry.live && entry.count == count) return id;
      best_.pop();
      if (entry.live && entry.count < count) best_.push({entry.count, id});
    }
    return std::nullopt;
  }

  std::optional<uint32_t> Revive(uint64_t merges_done) {
    Prune();
    std::optional<uint32_t> best;
    const Less less{this};
    for (uint32_t id = 0; id < entries_.size(); ++id) {
      Entry& entry = entries_[id];
      entry.count = entry.aside;
      if (!entry.live) live_.push_back(id);
      entry.live = true;
      if (!best || less({entries_[*best].count, *best}, {entry.count, id})) best = id;
    }
    if (!best) return std::nullopt;
    const auto done = static_cast<double>(merges_done);
    threshold_ = static_cast<double>(entries_[*best].count) * done / (done + 10000.0);
    Prune();
    std::vector<Candidate> candidates;
    for (const uint32_t id : live_) candidates.push_back({entries_[id].count, id});
    best_ = Queue(less, std::move(candidates));
    return best;
  }

  using Queue = std::priority_queue<Candidate, std::vector<Candidate>, Less>;

  const std::vector<std::string>& texts_;
  std::vector<Entry> entries_;
  std::unordered_map<uint64_t, uint32_t> ids_;
  std::vector<uint32_t> live_;
  std::vector<uint32_t> touched_;
  Queue best_;
  double threshold_ = 0;
};

/// The words as symbols.
class Learner {
 public:
  explicit Learner(std::span<const CountedWord> words) : pairs_(texts_) {
    words_.reserve(words.size());
    for (const CountedWord& word : words) Add(word);
    pairs_.Settle();
    pairs_.Begin();
  }

  std::vector<Subwords::Merge> Learn(uint64_t most_merges, uint64_t least_count) {
    std::vector<Subwords::Merge> merges;
    while (merges.size() < most_merges) {
      const std::optional<PairCounts::Pair> pair = pairs_.Best(merges.size(), least_count);
      if (!pair) break;
      MergePair(*pair);
      if (merges.size() % 100 == 0) pairs_.Prune();
      merges.push_back({texts_[pair->first], texts_[pair->second]});
    }
    return merges;
  }

 private:
  using Symbols = std::vector<uint32_t>;
  struct Word {
    Symbols symbols;
    int64_t count = 0;
  };

  void Add(const CountedWord& word) {
    const auto index = static_cast<uint32_t>(words_.size());
    Word& added = words_.emplace_back();
    added.count = static_cast<int64_t>(word.count);
    std::string_view rest = word.word;
    for (const std::string_view character : CodePoints(word.word)) {
      rest.remove_prefix(character.size());
      std::string text(character);
      if (rest.empty()) text += Subwords::kEndOfWord;
      added.symbols.push_back(Intern(text));
    }
    for (size_t i = 1; i < added.symbols.size(); ++i) {
      pairs_.Change({added.symbols[i - 1], added.symbols[i]}, index, added.count, 1);
    }
  }

  uint32_t Intern(const std::string& text) {
    const auto [place, added] = symbols_.emplace(text, static_cast<uint32_t>(texts_.size()));
    if (added) texts_.push_back(text);
    return place->second;
  }

  void MergePair(PairCounts::Pair pair) {
    const uint32_t product = Intern(texts_[pair.first] + texts_[pair.second]);
    for (const uint32_t index : pairs_.Take(pair)) {
      Word& word = words_[index];
      const Symbols before = word.symbols;
      Replace(pair, product, word.symbols);
      Discount(pair, before, index, word.count);
      Count(product, word.symbols, index, word.count);
    }
    pairs_.Drop(pair);
    pairs_.Settle();
  }

  static void Replace(PairCounts::Pair pair, uint32_t product, Symbols& symbols) {
    size_t end = 0;
    for (size_t i = 0; i < symbols.size(); ++end) {
      const bool found =
          i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
      symbols[end] = found ? product : symbols[i];
      i += found ? 2 : 1;
    }
    symbols.resize(end);
  }

  /// The pairs that the merge broke: in A B C, where B C is merged, A B. And C B of A B C B, but
  /// not in A B C B C, where it is the A B of the second B C.
  void Discount(PairCounts::Pair pair, const Symbols& old, uint32_t index, int64_t count) {
    for (size_t i = 0; i + 1 < old.size();) {
      if (old[i] != pair.first || old[i + 1] != pair.second) {
        ++i;
        continue;
      }
      if (i > 0) pairs_.Change({old[i - 1], old[i]}, index, -count, -1);
      if (i + 2 < old.size() &&
          (old[i + 2] != pair.first || i + 3 >= old.size() || old[i + 3] != pair.second)) {
        pairs_.Change({old[i + 1], old[i + 2]}, index, -count, -1);
      }
      i += 2;
    }
  }

  /// The pairs that the merge made: in A BC D, A BC and BC D; in BC BC the pair once.
  void Count(uint32_t product, const Symbols& symbols, uint32_t index, int64_t count) {
    for (size_t i = 0; i < symbols.size(); ++i) {
      if (symbols[i] != product) continue;
      if (i > 0) pairs_.Change({symbols[i - 1], symbols[i]}, index, count, 1);
      if (i + 1 < symbols.size() && symbols[i + 1] != product) {
        pairs_.Change({symbols[i], symbols[i + 1]}, index, count, 1);
      }
    }
  }

  std::vector<std::string> texts_;  // of symbols
  std::unordered_map<std::string, uint32_t> symbols_;
  std::vector<Word> words_;
  PairCounts pairs_;
};

}  // namespace

std::vector<Subwords::Merge> LearnMerges(std::span<const CountedWord> words, uint64_t most_merges,
                                         uint64_t least_count) {
  return Learner(words).Learn(most_merges, least_count);
}

}  // namespace lockstep::io
