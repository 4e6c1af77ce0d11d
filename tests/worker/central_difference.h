#ifndef LOCKSTEP_TESTS_WORKER_CENTRAL_DIFFERENCE_H_
#define LOCKSTEP_TESTS_WORKER_CENTRAL_DIFFERENCE_H_

#include <cmath>
#include <numeric>
#include <vector>

namespace lockstep::worker {

inline double Norm(const std::vector<double>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

/// The central difference of `loss()` along `direction` of `values`, which it reads.
template <class Loss>
double CentralDifference(std::vector<double>& values, const std::vector<double>& direction,
                         const Loss& loss) {
  const double step = 1e-5 / Norm(direction);
  const std::vector<double> old = values;
  const auto loss_at = [&](double x) {
    for (size_t i = 0; i < old.size(); ++i) values[i] = old[i] + x * direction[i];
    return loss();
  };
  const double slope = (loss_at(step) - loss_at(-step)) / (2.0 * step);
  values = old;
  return slope;
}

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_CENTRAL_DIFFERENCE_H_
