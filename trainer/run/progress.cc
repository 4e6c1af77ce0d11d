#include "trainer/run/progress.h"

#include <algorithm>

#include <fmt/format.h>

namespace lockstep::trainer {
namespace {

double SecondsBetween(std::chrono::steady_clock::time_point a,
                      std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

// 24310 -> "24,310"
std::string Grouped(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, 1, ',');
  return digits;
}

}  // namespace

std::string DescribeSeconds(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

Progress::Progress(Console& console, const Task& task, const Plan& plan, int64_t first_step)
    : console_(console), task_(task), plan_(plan), first_step_(first_step) {}

std::string Progress::Line(const Position& p) const {
  const auto now = Clock::now();
  const double loss = steps_ > 0 ? loss_sum_ / static_cast<double>(steps_) : p.loss;
  const double rate =
      static_cast<double>(predictions_) / std::max(1e-9, SecondsBetween(line_at_, now));
  const double step_seconds = SecondsBetween(started_, now) /
                              static_cast<double>(std::max<int64_t>(1, p.step - first_step_));
  const std::string meaning = task_.DescribeLoss(loss);
  return fmt::format(
      "epoch {:.2f}/{:.4g}  step {}/{}  loss {:.4f}{}{}  norm {:.3f}  rate {:.2e}  {} {}/s  {} to "
      "go",
      static_cast<double>(p.step) / static_cast<double>(plan_.steps_per_epoch),
      static_cast<double>(plan_.total_steps) / static_cast<double>(plan_.steps_per_epoch), p.step,
      plan_.total_steps, loss, meaning.empty() ? "" : "  ", meaning, p.gradient_norm,
      p.learning_rate, Grouped(rate), task_.unit(),
      DescribeSeconds(static_cast<double>(plan_.total_steps - p.step) * step_seconds));
}

void Progress::Step(const Position& position, int64_t step_predictions) {
  constexpr double kLiveSeconds = 0.25;
  ++steps_;
  predictions_ += step_predictions;
  loss_sum_ += position.loss;
  const auto now = Clock::now();
  if (console_.live() && SecondsBetween(live_at_, now) >= kLiveSeconds) {
    live_at_ = now;
    console_.Live(Line(position));
  }
  if (SecondsBetween(line_at_, now) >= plan_.interval_seconds) Flush(position);
}

void Progress::Flush(const Position& position) {
  if (steps_ == 0) return;
  const std::string line = Line(position);
  if (console_.live()) {
    console_.Live(line);
    console_.LogOnly(line);
  } else {
    console_.Info(line);
  }
  line_at_ = Clock::now();
  steps_ = 0;
  predictions_ = 0;
  loss_sum_ = 0.0;
}

}  // namespace lockstep::trainer
