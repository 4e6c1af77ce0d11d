#ifndef LOCKSTEP_WORKER_LOSSES_SPECIAL_FUNCTIONS_H_
#define LOCKSTEP_WORKER_LOSSES_SPECIAL_FUNCTIONS_H_

namespace lockstep::worker {

/// log(1 + e^x) and its slope, the logistic function.
double Softplus(double x);
double Logistic(double x);

/// The derivative of log Gamma(x), for x > 0. Abramowitz and Stegun 6.3.5 and 6.3.18; to 1e-12.
double Digamma(double x);

/// The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1]. The continued
/// fraction of Abramowitz and Stegun 26.5.8.
double IncompleteBeta(double a, double b, double x);

/// The x below which a share `level` in (0, 1) of the distribution lies; of counts the least x that
/// has at least that share at or below it.
double NormalQuantile(double level);
double StudentTQuantile(double freedom, double level);
/// Variance mean + alpha mean^2.
double NegativeBinomialQuantile(double mean, double alpha, double level);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_SPECIAL_FUNCTIONS_H_
