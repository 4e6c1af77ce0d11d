#include "worker/models/beam_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "worker/losses/log_sum_exp.h"
#include "worker/models/sampling.h"
#include "worker/philox.h"

namespace lockstep::worker {
namespace {

// A beginning that goes on.
struct Row {
  int64_t item = 0;
  int64_t draw = 0;  // number among the item's draws
  double log_probability = 0.0;
};

// One token more behind a row.
struct Continuation {
  int64_t row = 0;
  int32_t token = 0;
  double log_probability = 0.0;  // with the row's
};

bool Likelier(const Continuation& a, const Continuation& b) {
  if (a.log_probability != b.log_probability) return a.log_probability > b.log_probability;
  return a.row != b.row ? a.row < b.row : a.token < b.token;
}

// Places of the `count` largest of x [n], from the largest down; of equal ones the first.
void Largest(int64_t n, const float* x, int64_t count, int32_t* places) {
  constexpr int64_t kBlock = 64;
  int64_t found = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, n);
    if (found == count) {  // most blocks have nothing: a loop that becomes vectors says so
      const float least = x[places[count - 1]];
      int any = 0;
      for (int64_t i = begin; i < end; ++i) any |= x[i] > least;
      if (!any) continue;
    }
    for (int64_t i = begin; i < end; ++i) {
      if (found == count && !(x[i] > x[places[count - 1]])) continue;
      int64_t at = found < count ? found++ : count - 1;
      for (; at > 0 && x[i] > x[places[at - 1]]; --at) places[at] = places[at - 1];
      places[at] = static_cast<int32_t>(i);
    }
  }
}

class Beams {
 public:
  Beams(SearchedModel& model, const SearchTask& task, const SearchOptions& options)
      : model_(model),
        task_(task),
        options_(options),
        items_(std::ssize(task.most_tokens)),
        found_(items_) {}

  std::vector<std::vector<Hypothesis>> Run() {
    Begin();
    while (!rows_.empty()) {
      const SearchedModel::Answer answer = model_.Next(from_, tokens_);
      Note(answer);
      Normalize(answer.logits);
      draws() ? DrawTokens(answer.logits) : FindTokens(answer.logits);
      Advance();
    }
    for (auto& of_item : found_) {
      std::ranges::stable_sort(of_item, std::greater<>(), &Hypothesis::score);
      if (std::ssize(of_item) > options_.nbest) of_item.resize(options_.nbest);
    }
    return std::move(found_);
  }

 private:
  // How the rows of a step came from those of the step before.
  struct Step {
    std::vector<int64_t> from;
    std::vector<int32_t> tokens, attended;  // the token before the step; what the step attended to
  };

  bool draws() const { return options_.temperature > 0.0; }
  int64_t length() const { return std::ssize(steps_) - 1; }  // tokens of a row in the last step
  bool MustEnd(int64_t item) const { return length() >= task_.most_tokens[item]; }
  double Score(double log_probability, int64_t tokens) const {
    return log_probability /
           std::pow((6.0 + static_cast<double>(tokens)) / 6.0, options_.length_penalty);
  }

  void Begin() {
    const int64_t rows_of_item = draws() ? options_.nbest : 1;
    for (int64_t item = 0; item < items_; ++item) {
      for (int64_t draw = 0; draw < rows_of_item; ++draw) {
        rows_.push_back({.item = item, .draw = draw});
        from_.push_back(item);
        tokens_.push_back(task_.end);
      }
    }
  }

  void Note(const SearchedModel::Answer& answer) {
    Step& step = steps_.emplace_back(Step{from_, tokens_, {}});
    if (answer.attended) step.attended.assign(answer.attended, answer.attended + rows_.size());
  }

  void Normalize(const float* logits) {
    const int64_t rows = std::ssize(rows_);
    normalizers_.resize(rows);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      normalizers_[row] = LogSumExp(task_.classes, logits + row * task_.classes);
    }
    if (std::ranges::any_of(normalizers_, [](double x) { return std::isnan(x); })) {
      throw std::domain_error("the model's logits are not numbers: its training has diverged");
    }
  }

  Continuation Continue(int64_t row, int32_t token, const float* logits) const {
    const double of_token = logits[row * task_.classes + token] - normalizers_[row];
    return {row, token, rows_[row].log_probability + of_token};
  }

  void DrawTokens(const float* logits) {
    const int64_t rows = std::ssize(rows_);
    next_.resize(rows);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      const Row& of = rows_[row];
      const auto number =
          static_cast<uint64_t>(task_.item_numbers ? task_.item_numbers[of.item] : of.item);
      const PhiloxCounter words = Philox(
          {static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32),
           static_cast<uint32_t>(length()),
           static_cast<uint32_t>(RandomPurpose::kSampling) << 28 | static_cast<uint32_t>(of.draw)},
          SeedKey(options_.seed));
      const int32_t token =
          MustEnd(of.item)
              ? task_.end
              : DrawFromSoftmax({logits + row * task_.classes, static_cast<size_t>(task_.classes)},
                                options_.temperature, UniformDouble(words[0], words[1]));
      next_[row] = Continue(row, token, logits);
    }
  }

  // Leaves in next_ what goes on or ends, by items.
  void FindTokens(const float* logits) {
    const int64_t rows = std::ssize(rows_), most = std::min<int64_t>(options_.beam, task_.classes);
    places_.resize(rows * most);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      Largest(task_.classes, logits + row * task_.classes, most, places_.data() + row * most);
    }
    next_.clear();
    for (int64_t begin = 0, end = 0; begin < rows; begin = end) {
      const int64_t item = rows_[begin].item;
      while (end < rows && rows_[end].item == item) ++end;
      const auto first = std::ssize(next_);
      for (int64_t row = begin; row < end; ++row) {
        if (MustEnd(item)) {
          next_.push_back(Continue(row, task_.end, logits));
          continue;
        }
        for (int64_t i = 0; i < most; ++i) {
          next_.push_back(Continue(row, places_[row * most + i], logits));
        }
      }
      const int64_t width = options_.beam - std::ssize(found_[item]);
      const int64_t kept = std::min(width, std::ssize(next_) - first);
      std::partial_sort(next_.begin() + first, next_.begin() + first + kept, next_.end(), Likelier);
      next_.resize(first + kept);
    }
  }

  // Takes out of next_ what has ended; the rest are the rows of the next step.
  void Advance() {
    std::vector<Row> rows;
    from_.clear();
    tokens_.clear();
    for (size_t begin = 0, end = 0; begin < next_.size(); begin = end) {
      const int64_t item = rows_[next_[begin].row].item;
      double likeliest = -std::numeric_limits<double>::infinity();
      for (end = begin; end < next_.size() && rows_[next_[end].row].item == item; ++end) {
        if (next_[end].token == task_.end) {
          found_[item].push_back(Trace(next_[end]));
        } else {
          likeliest = std::max(likeliest, next_[end].log_probability);
        }
      }
      if (!draws() && IsDone(item, likeliest)) continue;
      for (size_t i = begin; i < end; ++i) {
        if (next_[i].token == task_.end) continue;
        rows.push_back({item, rows_[next_[i].row].draw, next_[i].log_probability});
        from_.push_back(next_[i].row);
        tokens_.push_back(next_[i].token);
      }
    }
    rows_ = std::move(rows);
  }

  // Whether nothing that a row of `likeliest` may become is among the nbest. A log-probability only
  // falls; what divides it is largest where the target is longest.
  bool IsDone(int64_t item, double likeliest) const {
    const std::vector<Hypothesis>& found = found_[item];
    if (std::ssize(found) < options_.nbest) return false;
    std::vector<double> scores;
    for (const Hypothesis& hypothesis : found) scores.push_back(hypothesis.score);
    std::ranges::nth_element(scores, scores.begin() + options_.nbest - 1, std::greater<>());
    return scores[options_.nbest - 1] >= Score(likeliest, task_.most_tokens[item]);
  }

  Hypothesis Trace(const Continuation& last) const {
    Hypothesis hypothesis;
    hypothesis.log_probability = last.log_probability;
    hypothesis.score = Score(last.log_probability, length());
    int64_t row = last.row;
    for (size_t i = steps_.size() - 1; i > 0; --i) {
      // The token was found by the step before the one that it went into.
      hypothesis.tokens.push_back(steps_[i].tokens[row]);
      row = steps_[i].from[row];
      if (!steps_[i - 1].attended.empty()) {
        hypothesis.attended.push_back(steps_[i - 1].attended[row]);
      }
    }
    std::ranges::reverse(hypothesis.tokens);
    std::ranges::reverse(hypothesis.attended);
    return hypothesis;
  }

  SearchedModel& model_;
  const SearchTask& task_;
  const SearchOptions& options_;
  const int64_t items_;
  std::vector<Row> rows_;
  std::vector<int64_t> from_;    // of rows_
  std::vector<int32_t> tokens_;  // likewise
  std::vector<Step> steps_;      // so far
  std::vector<double> normalizers_;
  std::vector<int32_t> places_;
  std::vector<Continuation> next_;
  std::vector<std::vector<Hypothesis>> found_;
};

}  // namespace

std::vector<std::vector<Hypothesis>> Search(SearchedModel& model, const SearchTask& task,
                                            const SearchOptions& options) {
  if (options.beam < 1 || options.nbest < 1 || options.length_penalty < 0.0 ||
      (options.temperature <= 0.0 && options.nbest > options.beam)) {
    throw std::invalid_argument("a search needs beam >= nbest >= 1 and length_penalty >= 0");
  }
  return Beams(model, task, options).Run();
}

}  // namespace lockstep::worker
