#ifndef LOCKSTEP_WORKER_LOSSES_FORECAST_LOSS_H_
#define LOCKSTEP_WORKER_LOSSES_FORECAST_LOSS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::worker {

/// The loss of one target y given the raw outputs o of the network, the window's centre m and its
/// scale s > 0 (0 and 1 without normalisation). All are in the units of y. softplus(x) = log(1 +
/// e^x).
struct ForecastLoss {
  enum class Kind {
    kMse,               ///< (y - f)^2, f = m + s o
    kMae,               ///< |y - f|
    kHuber,             ///< e = |y - f|: e^2 / 2 up to delta, above delta (e - delta / 2)
    kGaussian,          ///< -log N(y; mu, sigma): mu = m + s o0, sigma = s (softplus(o1) + 1e-4)
    kStudentT,          ///< -log of mu + sigma t(nu): mu, sigma likewise, nu = 2 + softplus(o2)
    kNegativeBinomial,  ///< counts y >= 0, -log NB(y; mean, alpha), variance mean + alpha mean^2:
                        ///< mean = s (softplus(o0) + 1e-4), alpha = (softplus(o1) + 1e-4) /
                        ///< sqrt(s) (Salinas et al. 2017, with m = 0)
    kQuantiles,         ///< sum over levels q of max(q (y - f), (q - 1) (y - f)), f = m + s o_q
  };
  Kind kind = Kind::kMse;
  double delta = 1.0;                                        ///< kHuber
  std::vector<double> levels = {0.1, 0.25, 0.5, 0.75, 0.9};  ///< kQuantiles: in (0, 1), increasing

  /// Raw outputs for each value, P.
  int64_t outputs() const;
  /// Whether it describes a distribution, so that there are quantiles and draws.
  bool is_distribution() const;
};

/// Empty, or what is wrong with the loss's own options.
std::string WhyImpossible(const ForecastLoss& loss);

/// Where the values of raw outputs [rows, P, J, W] belong: row g R + r has J steps of W values.
/// Value (g, r, j, w) has the target [g, r, j, w] and the window of centre and scale [r, w].
struct RawLayout {
  int64_t groups = 0;  ///< G
  int64_t rows = 0;    ///< R
  int64_t steps = 0;   ///< J
  int64_t width = 0;   ///< W
  int64_t values() const { return groups * rows * steps * width; }
};

/// The sum of losses over targets that are not NaN, and their number.
struct ForecastSum {
  double loss = 0.0;
  int64_t targets = 0;
};

/// Sums the losses of `raw` [G R, P, J, W], in the order of rows whatever the threads. With
/// `gradient`, raw becomes the gradient of that sum; 0 where there is no target.
ForecastSum SumLosses(const ForecastLoss& loss, const RawLayout& layout, const float* targets,
                      const float* centre, const float* scale, bool gradient, float* raw);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_FORECAST_LOSS_H_
