#include "worker/models/forecast_paths.h"

#include <algorithm>
#include <vector>

#include "worker/losses/distribution.h"
#include "worker/philox.h"

namespace lockstep::worker {
namespace {

// Rows of paths that run at a time: enough for products at their full rate.
constexpr int64_t kMostRows = 8192;

// to [L, N, R H] = from [L, R H], N times.
std::vector<float> Repeated(const std::vector<float>& from, int64_t layers, int64_t times) {
  const int64_t size = std::ssize(from) / layers;
  std::vector<float> to;
  to.reserve(from.size() * times);
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int64_t i = 0; i < times; ++i) {
      to.insert(to.end(), from.begin() + layer * size, from.begin() + (layer + 1) * size);
    }
  }
  return to;
}

class Paths {
 public:
  Paths(const ForecasterOptions& options, ForecastNetwork& network, const WindowScaling& scaling,
        const NetworkInput& history, const ForecastRequest& request, int64_t count)
      : options_(options),
        network_(network),
        scaling_(scaling),
        history_(history),
        request_(request),
        width_(WidthOf(options)),
        series_(history.batch_rows * width_),
        values_(count * options.horizon * series_) {}

  // Draws the paths [first, first + count) from the state behind the history and the raw outputs of
  // its last step.
  void Draw(int64_t first, int64_t count, const RecurrentState& state,
            const std::vector<float>& raw) {
    const int64_t R = history_.batch_rows, rows = count * R;
    RecurrentState paths_state = network_.ZeroState(rows);
    const int64_t layers = options_.layers;
    paths_state.h = Repeated(state.h, layers, count);
    if (!state.c.empty()) paths_state.c = Repeated(state.c, layers, count);
    std::vector<float> own_raw = Repeated(raw, 1, count);
    std::vector<float> next(rows * width_), none_missing(rows * width_, 0.0f);
    const float* outputs = own_raw.data();
    for (int64_t t = 0; t < options_.horizon; ++t) {
      DrawStep(t, first, rows, outputs, next.data());
      if (t + 1 == options_.horizon) break;
      NetworkInput input = history_;
      input.rows = rows;
      input.time_steps = 1;
      input.known_time = history_.known_time + history_.time_steps + t;
      input.values = next.data();
      input.missing = options_.mask_inputs ? none_missing.data() : nullptr;
      outputs = network_.Forward(input, &paths_state, nullptr);
    }
  }

  std::vector<float>& values() { return values_; }

 private:
  void DrawStep(int64_t t, int64_t first_path, int64_t rows, const float* raw, float* next) {
    const int64_t R = history_.batch_rows, W = width_, outputs = options_.loss.outputs();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t path = first_path + i / R;
      for (int64_t w = 0; w < W; ++w) {
        const int64_t series = i % R * W + w;
        const RawValue value = {raw + i * outputs * W + w, W, scaling_.centre()[series],
                                scaling_.scale()[series]};
        const double y = DrawValue(options_.loss, value, Words(t, path, series));
        values_[(path * options_.horizon + t) * series_ + series] = static_cast<float>(y);
        next[i * W + w] = static_cast<float>((y - value.centre) / value.scale);
      }
    }
  }

  PhiloxCounter Words(int64_t t, int64_t path, int64_t series) const {
    const int64_t C = options_.channels, place = series / C;
    const int64_t item = request_.item_numbers ? request_.item_numbers[place] : place;
    return Philox({static_cast<uint32_t>(t * C + series % C), static_cast<uint32_t>(path),
                   static_cast<uint32_t>(item),
                   static_cast<uint32_t>(RandomPurpose::kForecastPaths) << 28 |
                       static_cast<uint32_t>(item >> 32 & 0xFFFFFFF)},
                  SeedKey(request_.seed));
  }

  const ForecasterOptions& options_;
  ForecastNetwork& network_;
  const WindowScaling& scaling_;
  const NetworkInput& history_;
  const ForecastRequest& request_;
  const int64_t width_, series_;  // W, B C
  std::vector<float> values_;     // [paths, T_f, B, C]
};

// Of `paths` [count, size]: the mean of each, and its quantiles, interpolated between the ordered
// values as numpy does (Hyndman and Fan 1996, type 7).
void SummarizePaths(const std::vector<float>& paths, int64_t count,
                    const std::vector<double>& levels, ForecastOutput& output) {
  const int64_t size = std::ssize(paths) / count;
  output.mean.resize(size);
  output.quantiles.resize(levels.size() * size);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < size; ++i) {
    std::vector<float> values(count);
    double sum = 0.0;
    for (int64_t path = 0; path < count; ++path) {
      values[path] = paths[path * size + i];
      sum += values[path];
    }
    output.mean[i] = static_cast<float>(sum / static_cast<double>(count));
    std::ranges::sort(values);
    for (size_t level = 0; level < levels.size(); ++level) {
      const double place = levels[level] * static_cast<double>(count - 1);
      const auto below = static_cast<int64_t>(place);
      const int64_t above = std::min(below + 1, count - 1);
      const double part = place - static_cast<double>(below);
      output.quantiles[level * size + i] =
          static_cast<float>(values[below] + part * (values[above] - values[below]));
    }
  }
}

}  // namespace

void ForecastOutputs(const ForecastLoss& loss, const RawLayout& layout,
                     const WindowScaling& scaling, const float* raw, const ForecastRequest& request,
                     ForecastOutput& output) {
  const int64_t R = layout.rows, J = layout.steps, W = layout.width, size = layout.values();
  std::vector<QuantileOf> quantiles;
  if (loss.is_distribution()) {
    for (const double level : request.levels) quantiles.emplace_back(loss, level);
  }
  output.mean.resize(size);
  output.quantiles.resize(quantiles.size() * size);
  output.paths.clear();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < layout.groups * R; ++i) {
    for (int64_t k = 0; k < J * W; ++k) {
      const int64_t series = i % R * W + k % W;
      const RawValue value = {raw + i * loss.outputs() * J * W + k, J * W, scaling.centre()[series],
                              scaling.scale()[series]};
      const int64_t place = (i / R * J + k / W) * R * W + series;
      output.mean[place] = static_cast<float>(PredictedMean(loss, value));
      for (size_t q = 0; q < quantiles.size(); ++q) {
        output.quantiles[q * size + place] = static_cast<float>(quantiles[q](value));
      }
    }
  }
}

void ForecastPaths(const ForecasterOptions& options, ForecastNetwork& network,
                   const WindowScaling& scaling, const NetworkInput& history,
                   const RecurrentState* state, const ForecastRequest& request,
                   ForecastOutput& output) {
  const int64_t count = options.loss.is_distribution() ? request.paths : 1;
  const int64_t rows = history.rows, size = rows * options.loss.outputs() * WidthOf(options);
  RecurrentState behind = state ? *state : network.ZeroState(rows);
  const float* raw = network.Forward(history, &behind, nullptr);
  const float* last = raw + (network.Layout(rows, history.time_steps).groups - 1) * size;
  const std::vector<float> last_raw(last, last + size);
  Paths paths(options, network, scaling, history, request, count);
  const int64_t at_a_time = std::max<int64_t>(1, kMostRows / rows);
  for (int64_t first = 0; first < count; first += at_a_time) {
    paths.Draw(first, std::min(at_a_time, count - first), behind, last_raw);
  }
  const bool quantiles = options.loss.is_distribution();
  SummarizePaths(paths.values(), count, quantiles ? request.levels : std::vector<double>{}, output);
  output.paths.clear();
  if (request.keep_paths) output.paths = std::move(paths.values());
}

}  // namespace lockstep::worker
