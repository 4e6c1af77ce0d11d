#include "worker/losses/special_functions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lockstep::worker {
namespace {

// The continued fraction of I_x(a, b), by Lentz's method; converges quickly for x < (a + 1) / (a +
// b + 2).
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kPrecision = 1e-15;
  constexpr int kMost = 10'000;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1.0, d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)), result = d;
  for (int m = 1; m < kMost; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
    double change = 1.0;
    for (const double term : {even, odd}) {
      d = 1.0 / away_from_zero(1.0 + term * d);
      c = away_from_zero(1.0 + term / c);
      change = c * d;
      result *= change;
    }
    if (std::abs(change - 1.0) < kPrecision) break;
  }
  return result;
}

// The x in [low, high] where a rising function passes 0.
template <class Function>
double Bisect(double low, double high, const Function& function) {
  for (int i = 0; i < 200 && high - low > 1e-14 * std::max(1.0, std::abs(high)); ++i) {
    const double middle = 0.5 * (low + high);
    (function(middle) < 0.0 ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double NegativeBinomialCdf(double mean, double alpha, double x) {
  return IncompleteBeta(1.0 / alpha, std::floor(x) + 1.0, 1.0 / (1.0 + alpha * mean));
}

}  // namespace

double Softplus(double x) {
  return x > 0.0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

double Logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }

double Digamma(double x) {
  constexpr double kLarge = 10.0;
  double sum = 0.0;
  for (; x < kLarge; x += 1.0) sum -= 1.0 / x;
  const double y = 1.0 / (x * x);
  const double series =
      y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132)))));
  return sum + std::log(x) - 0.5 / x - series;
}

double IncompleteBeta(double a, double b, double x) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1.0) / (a + b + 2.0)) return front * BetaFraction(a, b, x) / a;
  return 1.0 - front * BetaFraction(b, a, 1.0 - x) / b;
}

double NormalQuantile(double level) {
  return Bisect(-40.0, 40.0,
                [level](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)) - level; });
}

// Of the upper half, P(T > x) = I_{nu / (nu + x^2)}(nu / 2, 1/2) / 2; Newton's steps, within bounds
// that close in.
double StudentTQuantile(double freedom, double level) {
  if (level < 0.5) return -StudentTQuantile(freedom, 1.0 - level);
  const double log_front = std::lgamma(0.5 * (freedom + 1.0)) - std::lgamma(0.5 * freedom) -
                           0.5 * std::log(freedom * std::numbers::pi);
  double low = 0.0, high = 1e150, x = 1.0;
  for (int i = 0; i < 500; ++i) {
    const double tail = 0.5 * IncompleteBeta(0.5 * freedom, 0.5, freedom / (freedom + x * x));
    const double excess = (1.0 - level) - tail;  // of P(T <= x) over level
    (excess < 0.0 ? low : high) = x;
    const double density =
        std::exp(log_front - 0.5 * (freedom + 1.0) * std::log1p(x * x / freedom));
    double next = x - excess / density;
    if (!(next > low && next < high)) next = high < 1e150 ? 0.5 * (low + high) : 2.0 * x;
    if (std::abs(next - x) <= 1e-13 * std::max(1.0, x)) return next;
    x = next;
  }
  return x;
}

double NegativeBinomialQuantile(double mean, double alpha, double level) {
  if (!(NegativeBinomialCdf(mean, alpha, 0.0) < level)) return 0.0;
  double low = 0.0, high = std::max(1.0, std::floor(mean));
  while (NegativeBinomialCdf(mean, alpha, high) < level && high < 1e15) {
    low = high;
    high *= 2.0;
  }
  while (high - low > 1.0) {  // below `level` at low, not below it at high
    const double middle = std::floor(0.5 * (low + high));
    (NegativeBinomialCdf(mean, alpha, middle) < level ? low : high) = middle;
  }
  return high;
}

}  // namespace lockstep::worker
