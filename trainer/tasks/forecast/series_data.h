#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_SERIES_DATA_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_SERIES_DATA_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "io/datasets/series_dataset.h"
#include "proto/run_config.h"
#include "trainer/tasks/forecast/calendar_features.h"
#include "trainer/tasks/forecast/windows.h"
#include "worker/models/forecaster.h"

namespace lockstep::trainer {

/// A dataset of series as a forecaster sees it: values scaled, covariates in the places that the
/// model has for them. Facts of it go into checkpoints, so that a model goes on speaking in the
/// units that it was trained in.
class SeriesData {
 public:
  /// Opens the dataset. UsageError where the configuration asks for what it does not have; io's
  /// errors.
  SeriesData(const std::filesystem::path& path, const proto::Forecast& config);

  const io::SeriesDataset& dataset() const { return dataset_; }
  int64_t channels() const { return static_cast<int64_t>(dataset_.description().channels.size()); }

  /// What the data say about a model's inputs.
  void FillInputs(worker::ForecasterOptions& options) const;

  /// Of one series, [C]: value = scaled * deviation + mean.
  std::span<const double> means(uint64_t series) const;
  std::span<const double> deviations(uint64_t series) const;

  /// Channels, covariates, scaling, as a checkpoint keeps them.
  nlohmann::ordered_json Facts() const;
  /// From now on in the units of a checkpoint's facts: those of series that it knows by their id;
  /// other series keep the scale that was learnt from their own training rows. Categories are taken
  /// by their names; one that the checkpoint does not know counts as not known. UsageError where
  /// channels or covariates are others; `origin` names the checkpoint.
  void Adopt(const nlohmann::ordered_json& facts, const std::string& origin);

  /// Reads windows into arrays of one batch.
  class Batch;

 private:
  struct Covariate {
    std::string name;
    std::vector<std::string> categories;  // as the model numbers them; empty: numeric
    std::vector<int32_t> places = {};     // among them, of the dataset's own; empty: the same ones
    double mean = 0.0, deviation = 1.0;
    bool categorical() const { return !categories.empty(); }
    void Adopt(const nlohmann::ordered_json& fact);
    float Scaled(float value) const;
    int32_t Category(float value) const;
  };
  nlohmann::ordered_json CommonFacts() const;
  void LearnCovariates();

  const io::SeriesDataset dataset_;
  std::vector<CalendarFeature> calendar_;
  std::vector<Covariate> known_, statics_;
  int64_t category_embedding_;
  std::vector<double> means_, deviations_;  // [series, C]
  bool mask_inputs_ = false;
};

/// The arrays of a batch of windows, or of time steps of lanes; kept from batch to batch.
class SeriesData::Batch {
 public:
  /// `data` must outlive this.
  explicit Batch(const SeriesData& data);

  /// Item b gets `history` rows in front of windows[b].first_target and `horizon` rows from there.
  /// Both may reach beyond the series: values that are not there are NaN, known covariates their
  /// mean or no category.
  void ReadWindows(std::span<const Window> windows, int64_t history, int64_t horizon);

  /// Lane b gets rows [first, first + rows) of a series, one step ahead: inputs are `time_steps`
  /// rows from `first`, targets the rows behind them; beyond `rows` there are none.
  struct Piece {
    uint64_t series = 0;
    uint64_t first = 0;
    uint64_t targets = 0;  ///< of this lane, at most time_steps; 0: nothing to read
  };
  void ReadPieces(std::span<const Piece> pieces, int64_t time_steps);

  /// Of what was read last; borrowed.
  worker::ForecastBatch view() const;
  int64_t targets() const;  ///< how many there are
  std::span<const float> history() const { return history_; }
  std::span<const float> truth() const { return targets_; }

 private:
  void Prepare(int64_t items, int64_t time_steps, int64_t targets, int64_t known);
  void ReadRows(uint64_t series, int64_t first, int64_t rows, int64_t slot);
  void PutValues(std::span<const uint64_t> series, int64_t stride, int64_t item, int64_t from,
                 int64_t rows, std::vector<float>& out) const;
  void PutKnown(uint64_t series, int64_t slot, int64_t stride, int64_t item, int64_t from,
                int64_t rows, int64_t first_row);
  void PutStatics(uint64_t series, int64_t item);

  const SeriesData& data_;
  // Of a row of known covariates, and of an item.
  int64_t known_numeric_ = 0, known_categorical_ = 0;
  int64_t static_numeric_ = 0, static_categorical_ = 0;
  int64_t items_ = 0, time_steps_ = 0;
  bool pieces_ = false;
  static constexpr int64_t kSlots = 16;
  std::vector<float> rows_;  // [slots, rows, C + K] of some items
  std::vector<float> history_, targets_, known_, statics_;
  std::vector<int32_t> known_categories_, static_categories_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_SERIES_DATA_H_
