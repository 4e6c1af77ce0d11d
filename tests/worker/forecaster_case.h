#ifndef LOCKSTEP_TESTS_WORKER_FORECASTER_CASE_H_
#define LOCKSTEP_TESTS_WORKER_FORECASTER_CASE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/worker/reference_forecaster.h"
#include "worker/models/forecaster.h"

namespace lockstep::worker {

/// A forecaster with random parameters and a batch of random windows (or, of kStream, `time_steps`
/// of lanes with a state that is not zero). Counts where its loss wants them. A share of the values
/// and targets is missing, and one series has no observed value.
struct ForecasterCase {
  ForecasterCase(const ForecasterOptions& options, int64_t items, int64_t time_steps = 0,
                 uint32_t random_seed = 1);

  ForecastBatch batch() const;
  ReferenceForecaster Reference() const { return {model.options(), model.parameters()}; }
  ReferenceState InitialReferenceState() const;

  /// One Forward from the initial state and one Backward, into gradients that were zero.
  ForecastSum Run(RecurrentState* final_state = nullptr);

  Forecaster model;
  int64_t items, time_steps;
  RecurrentState initial_state;
  std::vector<float> history, targets, known, statics;
  std::vector<int32_t> known_categories, static_categories;
  DropoutSite site{.seed = 0x123456789ABCDEF, .batch = 0x500000007, .first_lane = 2};
  GradientReady ready;  ///< Run hands it on
};

/// Small ones. Channels apart, with vectors of their own; nothing but values.
ForecasterOptions PlainForecaster(Decoding decoding, Cell cell, ForecastLoss::Kind loss);
/// Channels together, two layers, dropout, masks and every kind of covariate.
ForecasterOptions RichForecaster(Decoding decoding, Cell cell, ForecastLoss::Kind loss);

/// All of them, with the names of tests.
const std::vector<Decoding>& AllDecodings();
std::string NameOf(Decoding decoding);
const std::vector<Normalization>& AllNormalizations();
std::string NameOf(Normalization normalization);
const std::vector<ForecastLoss::Kind>& AllLosses();
std::string NameOf(ForecastLoss::Kind loss);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_FORECASTER_CASE_H_
