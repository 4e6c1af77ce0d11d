#include "trainer/run/checkpoint_writer.h"

#include <chrono>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace lockstep::trainer {

// Into the memory of the last one: new pages would cost more than the copy.
void CheckpointWriter::Copy::Take(const std::vector<io::TensorView>& views) {
  tensors.resize(views.size());
  for (size_t i = 0; i < views.size(); ++i) {
    tensors[i].name = views[i].name;
    tensors[i].shape = views[i].shape;
    tensors[i].values.assign(views[i].values.begin(), views[i].values.end());
  }
}

std::vector<io::TensorView> CheckpointWriter::Copy::Views() const {
  std::vector<io::TensorView> views;
  for (const Tensor& tensor : tensors) views.push_back({tensor.name, tensor.shape, tensor.values});
  return views;
}

CheckpointWriter::CheckpointWriter(io::CheckpointFolder& folder, int keep)
    : folder_(folder), keep_(keep) {}

void CheckpointWriter::Begin(const Names& names, io::CheckpointHeader header,
                             const std::vector<io::TensorView>& tensors, Mode mode) {
  names_ = names;
  copy_.header = std::move(header);
  written_ = {};
  warnings_.clear();
  tensors_ = tensors;
  if (mode == Mode::kBackground) {
    try {
      copy_.Take(tensors);
      tensors_ = copy_.Views();
    } catch (const std::bad_alloc&) {
      warnings_.emplace_back(
          "there is no memory for a copy of a checkpoint: the training waits until it is written");
      mode = Mode::kAtOnce;
    }
  }
  if (mode == Mode::kBackground) {
    try {
      save_ = std::async(std::launch::async, [this] { Write(); });
      return;
    } catch (const std::system_error&) {  // no thread can be had
    }
  }
  save_ = std::async(std::launch::deferred, [this] { Write(); });
  save_.wait();  // that does it
}

bool CheckpointWriter::has_ended() const {
  return save_.valid() && save_.wait_for(std::chrono::seconds(0)) != std::future_status::timeout;
}

void CheckpointWriter::Wait() {
  if (save_.valid()) save_.get();
}

void CheckpointWriter::Write() {
  try {
    WriteFiles();
  } catch (...) {
    if (names_.best && !written_.best) KeepBest();
    throw;
  }
}

// A step's file may name a best that is not there yet, so that comes first.
void CheckpointWriter::WriteFiles() {
  if (metrics_) metrics_->Sync();
  if (keeps_best_ && !names_.best) {  // a better one takes its place
    io::WriteCheckpoint(folder_.BestPath(), kept_best_.header, kept_best_.Views());
    written_.kept = true;
  }
  keeps_best_ = false;
  kept_best_ = {};
  const int64_t step = copy_.header.step;
  if (names_.best) {
    io::WriteCheckpoint(folder_.BestPath(), copy_.header, tensors_);
    written_.best = true;
  }
  if (!names_.step) return;
  // Once on disk under both names, where the file system allows it.
  const bool best_holds_it = names_.best || names_.best_holds_it;
  if (!best_holds_it || !folder_.LinkStepToBest(step)) {
    io::WriteCheckpoint(folder_.StepPath(step), copy_.header, tensors_);
  }
  written_.step = true;
  if (names_.prunes) Prune();
}

// The checkpoint stands: no trouble here may end the training.
void CheckpointWriter::Prune() {
  try {
    for (std::string& trouble : folder_.Prune(keep_, copy_.header.step)) {
      warnings_.push_back(std::move(trouble));
    }
  } catch (const std::exception& error) {
    warnings_.push_back(fmt::format("older checkpoints are not removed now: {}", error.what()));
  }
}

void CheckpointWriter::KeepBest() {
  try {
    kept_best_.header = copy_.header;
    kept_best_.Take(tensors_);
    keeps_best_ = written_.keeps = true;
  } catch (const std::bad_alloc&) {
    kept_best_ = {};
    keeps_best_ = false;
    warnings_.push_back("there is no memory to keep this best checkpoint until it can be written");
  }
}

}  // namespace lockstep::trainer
