#include "tests/worker/reference_forecaster.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lockstep::worker {
namespace {

using Array = std::vector<double>;

double LogOnePlusExp(double x) { return std::log1p(std::exp(x)); }

void Append(Array& to, const Array& more) { to.insert(to.end(), more.begin(), more.end()); }

}  // namespace

double ReferenceTargetLoss(const ForecastLoss& loss, const Array& o, double y, double centre,
                           double scale) {
  const double f = centre + scale * o[0], e = y - f;
  const double sigma = o.size() > 1 ? scale * (LogOnePlusExp(o[1]) + 1e-4) : 0.0;
  switch (loss.kind) {
    case ForecastLoss::Kind::kMse:
      return e * e;
    case ForecastLoss::Kind::kMae:
      return std::abs(e);
    case ForecastLoss::Kind::kHuber:
      return std::abs(e) <= loss.delta ? e * e / 2 : loss.delta * (std::abs(e) - loss.delta / 2);
    case ForecastLoss::Kind::kGaussian:
      return e * e / (2 * sigma * sigma) + std::log(sigma * std::sqrt(2 * std::numbers::pi));
    case ForecastLoss::Kind::kStudentT: {
      const double nu = 2 + LogOnePlusExp(o[2]), z = e / sigma;
      return -std::log(std::tgamma((nu + 1) / 2) /
                       (std::tgamma(nu / 2) * std::sqrt(nu * std::numbers::pi) * sigma) *
                       std::pow(1 + z * z / nu, -(nu + 1) / 2));
    }
    case ForecastLoss::Kind::kNegativeBinomial: {
      const double mean = scale * (LogOnePlusExp(o[0]) + 1e-4);
      const double r = std::sqrt(scale) / (LogOnePlusExp(o[1]) + 1e-4);
      return -std::log(std::tgamma(y + r) / (std::tgamma(y + 1) * std::tgamma(r)) *
                       std::pow(r / (r + mean), r) * std::pow(mean / (r + mean), y));
    }
    case ForecastLoss::Kind::kQuantiles: {
      double sum = 0.0;
      for (size_t q = 0; q < o.size(); ++q) {
        const double error = y - (centre + scale * o[q]), level = loss.levels[q];
        sum += std::max(level * error, (level - 1) * error);
      }
      return sum;
    }
  }
  return NAN;
}

struct ReferenceForecaster::Row {
  int64_t item, channel, number;  // channel: the first one of its W
  std::vector<Array> h, c;        // [L][H]
};

ReferenceForecaster::ReferenceForecaster(const ForecasterOptions& options,
                                         const Parameters& parameters)
    : options_(options), width_(options.channels_together ? options.channels : 1) {
  for (const Parameter& parameter : parameters.list()) {
    const float* first = parameters.values().data() + parameter.offset;
    values_[parameter.name].assign(first, first + parameter.size);
  }
}

ReferenceForecaster::Window ReferenceForecaster::LearnWindow(const ForecastBatch& batch,
                                                             const Row& row,
                                                             int64_t history) const {
  Window window{Array(width_, 0.0), Array(width_, 1.0)};
  for (int64_t w = 0; w < width_; ++w) {
    Array seen;
    for (int64_t t = 0; t < history; ++t) {
      const double x =
          batch.history[(t * batch.items + row.item) * options_.channels + row.channel + w];
      if (!std::isnan(x)) seen.push_back(x);
    }
    if (seen.empty()) continue;
    double mean = 0.0, variance = 0.0;
    for (const double x : seen) mean += x / static_cast<double>(seen.size());
    for (const double x : seen) {
      variance += (x - mean) * (x - mean) / static_cast<double>(seen.size());
    }
    const bool counts = options_.loss.kind == ForecastLoss::Kind::kNegativeBinomial;
    switch (options_.normalization) {
      case Normalization::kNone:
        break;
      case Normalization::kLast:
        window.centre[w] = seen.back();
        break;
      case Normalization::kMean:
        (counts ? window.scale[w] : window.centre[w]) = counts ? 1 + mean : mean;
        break;
      case Normalization::kMeanAndDeviation:
        window.centre[w] = mean;
        window.scale[w] = std::sqrt(variance + 1e-5);
        break;
    }
  }
  return window;
}

// [values, missing] at t, where the horizon follows the history.
Array ReferenceForecaster::Values(const ForecastBatch& batch, const Row& row, const Window& window,
                                  int64_t t) const {
  const bool stream = options_.decoding == Decoding::kStream;
  const bool future = !stream && t >= options_.history;
  const float* from = future ? batch.targets : batch.history;
  const int64_t time = future ? t - options_.history : t;
  Array values, missing;
  for (int64_t w = 0; w < width_; ++w) {
    const double x = from[(time * batch.items + row.item) * options_.channels + row.channel + w];
    values.push_back(std::isnan(x) ? 0.0 : (x - window.centre[w]) / window.scale[w]);
    missing.push_back(std::isnan(x) ? 1.0 : 0.0);
  }
  if (options_.mask_inputs) Append(values, missing);
  return values;
}

Array ReferenceForecaster::Known(const ForecastBatch& batch, const Row& row, int64_t t) const {
  Array f;
  const int64_t at = t * batch.items + row.item;
  for (int64_t k = 0; k < options_.known_numeric; ++k) {
    f.push_back(batch.known[at * options_.known_numeric + k]);
  }
  const int64_t number = std::ssize(options_.known_categories), E = options_.category_embedding;
  for (int64_t i = 0; i < number; ++i) {
    const int32_t value = batch.known_categories[at * number + i];
    const Array& table = values_.at("known." + std::to_string(i) + ".weight");
    for (int64_t j = 0; j < E; ++j) f.push_back(value < 0 ? 0.0 : table[value * E + j]);
  }
  return f;
}

Array ReferenceForecaster::Constant(const ForecastBatch& batch, const Row& row,
                                    bool channel) const {
  Array f;
  for (int64_t k = 0; k < options_.static_numeric; ++k) {
    f.push_back(batch.statics[row.item * options_.static_numeric + k]);
  }
  const int64_t number = std::ssize(options_.static_categories), E = options_.category_embedding;
  for (int64_t i = 0; i < number; ++i) {
    const int32_t value = batch.static_categories[row.item * number + i];
    const Array& table = values_.at("static." + std::to_string(i) + ".weight");
    for (int64_t j = 0; j < E; ++j) f.push_back(value < 0 ? 0.0 : table[value * E + j]);
  }
  for (int64_t j = 0; j < options_.channel_embedding && channel; ++j) {
    f.push_back(values_.at("channel.weight")[row.channel * options_.channel_embedding + j]);
  }
  return f;
}

Array ReferenceForecaster::Affine(const std::string& name, const Array& x) const {
  const Array& weights = values_.at(name + ".weight");
  const size_t rows = weights.size() / x.size();
  Array y(rows, 0.0);
  if (values_.contains(name + ".bias")) y = values_.at(name + ".bias");
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < x.size(); ++j) y[i] += weights[i * x.size() + j] * x[j];
  }
  return y;
}

void ReferenceForecaster::DropoutOn(Array& x, const DropoutSite* site, int layer, int64_t time_step,
                                    int64_t row) const {
  if (!site || options_.dropout <= 0.0) return;
  DropoutSite own = *site;
  own.layer = static_cast<uint32_t>(layer);
  own.first_lane *= options_.channels_together ? 1 : options_.channels;
  const int64_t H = options_.hidden_size;
  for (int64_t j = 0; j < H; ++j) {
    x[j] *= ReferenceDropoutFactor(own, options_.dropout, time_step, row, j, H);
  }
}

// The output of the last layer; masks are those of layers first_mask, first_mask + 1, ...
Array ReferenceForecaster::StackStep(const Array& x, Row& row, const DropoutSite* site,
                                     int64_t time_step, int first_mask, bool last_mask) const {
  Array y = x;
  for (int layer = 0; layer < options_.layers; ++layer) {
    ReferenceCellStep(options_.cell, values_, layer, y, row.h[layer].data(), row.c[layer].data());
    y = row.h[layer];
    if (layer + 1 < options_.layers || last_mask) {
      DropoutOn(y, site, first_mask + layer, time_step, row.number);
    }
  }
  return y;
}

// raw is [P, steps, W]; its first step is the target [first].
double ReferenceForecaster::LossOf(const ForecastBatch& batch, const Row& row, const Window& window,
                                   const Array& raw, int64_t first, int64_t steps) const {
  double sum = 0.0;
  for (int64_t j = 0; j < steps; ++j) {
    for (int64_t w = 0; w < width_; ++w) {
      const int64_t at = row.item * options_.channels + row.channel + w;
      const int64_t t = first + j, size = batch.items * options_.channels;
      const double y =
          t < 0 ? batch.history[(options_.history + t) * size + at] : batch.targets[t * size + at];
      if (std::isnan(y)) continue;
      Array o;
      for (int64_t p = 0; p < options_.loss.outputs(); ++p) {
        o.push_back(raw[(p * steps + j) * width_ + w]);
      }
      sum += ReferenceTargetLoss(options_.loss, o, y, window.centre[w], window.scale[w]);
    }
  }
  return sum;
}

void ReferenceForecaster::AddCovariates(const ForecastBatch& batch, const Row& row, int64_t first,
                                        int64_t steps, Array& raw) const {
  if (options_.known_numeric == 0 && options_.known_categories.empty()) return;
  for (int64_t j = 0; j < steps; ++j) {
    Array f = Known(batch, row, first + j);
    Append(f, Constant(batch, row, options_.decoding == Decoding::kDirect));
    Array u = Affine("covariates.hidden", f);
    for (double& x : u) x = std::max(0.0, x);
    const Array out = Affine("covariates.projection", u);
    for (int64_t p = 0; p < options_.loss.outputs(); ++p) {
      for (int64_t w = 0; w < width_; ++w) {
        raw[(p * steps + j) * width_ + w] += out[p * width_ + w];
      }
    }
  }
}

double ReferenceForecaster::DirectLoss(const ForecastBatch& batch, Row& row,
                                       const DropoutSite* site) const {
  const Window window = LearnWindow(batch, row, options_.history);
  for (int64_t t = 0; t < options_.history; ++t) {
    Array x = Values(batch, row, window, t);
    Append(x, Known(batch, row, t));
    Append(x, Constant(batch, row, true));
    StackStep(x, row, site, t, 0, false);
  }
  Array h = row.h.back();
  DropoutOn(h, site, options_.layers - 1, 0, row.number);
  Array raw = Affine("projection", h);
  AddCovariates(batch, row, options_.history, options_.horizon, raw);
  return LossOf(batch, row, window, raw, 0, options_.horizon);
}

double ReferenceForecaster::SegmentLoss(const ForecastBatch& batch, Row& row,
                                        const DropoutSite* site) const {
  const Window window = LearnWindow(batch, row, options_.history);
  const int64_t S = options_.segment_length, W = width_;
  for (int64_t n = 0; n < options_.history / S; ++n) {
    Array x, missing;
    for (int64_t t = n * S; t < (n + 1) * S; ++t) {
      const Array both = Values(batch, row, window, t);
      x.insert(x.end(), both.begin(), both.begin() + W);
      missing.insert(missing.end(), both.begin() + W, both.end());
    }
    Append(x, missing);
    for (int64_t t = n * S; t < (n + 1) * S; ++t) Append(x, Known(batch, row, t));
    Append(x, Constant(batch, row, false));
    Array e = Affine("input", x);
    for (double& v : e) v = std::max(0.0, v);
    StackStep(e, row, site, n, 0, false);
  }
  double sum = 0.0;
  for (int64_t m = 0; m < options_.horizon / S; ++m) {
    Row decoder = row;
    const Array& positions = values_.at("position.weight");
    const int64_t E = options_.channel_embedding, size = options_.hidden_size - E;
    Array x(positions.begin() + m * size, positions.begin() + (m + 1) * size);
    for (int64_t j = 0; j < E; ++j) x.push_back(values_.at("channel.weight")[row.channel * E + j]);
    Array raw = Affine("projection", StackStep(x, decoder, site, m, options_.layers, true));
    AddCovariates(batch, row, options_.history + m * S, S, raw);
    sum += LossOf(batch, row, window, raw, m * S, S);
  }
  return sum;
}

double ReferenceForecaster::StepLoss(const ForecastBatch& batch, Row& row,
                                     const DropoutSite* site) const {
  const bool stream = options_.decoding == Decoding::kStream;
  const int64_t steps = stream ? batch.time_steps : options_.history + options_.horizon - 1;
  const Window window = LearnWindow(batch, row, stream ? 0 : options_.history);
  double sum = 0.0;
  for (int64_t t = 0; t < steps; ++t) {
    Array x = Values(batch, row, window, t);
    Append(x, Known(batch, row, stream ? t : t + 1));
    Append(x, Constant(batch, row, true));
    const Array raw = Affine("projection", StackStep(x, row, site, t, 0, true));
    const int64_t target = stream ? t : t + 1 - options_.history;
    if (target < 0 && !options_.loss_on_history) continue;
    sum += LossOf(batch, row, window, raw, target, 1);
  }
  return sum;
}

double ReferenceForecaster::Loss(const ForecastBatch& batch, ReferenceState* state,
                                 const DropoutSite* site) const {
  const int64_t rows_of_item = options_.channels / width_, R = batch.items * rows_of_item;
  const int64_t H = options_.hidden_size;
  const bool stream = options_.decoding == Decoding::kStream;
  double sum = 0.0;
  for (int64_t r = 0; r < R; ++r) {
    Row row{r / rows_of_item, r % rows_of_item, r, {}, {}};
    for (int layer = 0; layer < options_.layers; ++layer) {
      const int64_t at = (layer * R + r) * H;
      row.h.emplace_back(H, 0.0);
      row.c.emplace_back(H, 0.0);
      if (!stream) continue;
      std::copy_n(state->h.begin() + at, H, row.h.back().begin());
      if (!state->c.empty()) std::copy_n(state->c.begin() + at, H, row.c.back().begin());
    }
    switch (options_.decoding) {
      case Decoding::kDirect:
        sum += DirectLoss(batch, row, site);
        break;
      case Decoding::kSegments:
        sum += SegmentLoss(batch, row, site);
        break;
      case Decoding::kAutoregressive:
      case Decoding::kStream:
        sum += StepLoss(batch, row, site);
        break;
    }
    for (int layer = 0; layer < options_.layers && stream; ++layer) {
      const int64_t at = (layer * R + r) * H;
      std::copy_n(row.h[layer].begin(), H, state->h.begin() + at);
      if (!state->c.empty()) std::copy_n(row.c[layer].begin(), H, state->c.begin() + at);
    }
  }
  return sum;
}

}  // namespace lockstep::worker
