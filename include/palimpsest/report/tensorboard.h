#pragma once
// Writes what TensorBoard shows: curves over the steps of a run, and over its tasks.
#include <filesystem>

#include "palimpsest/core/run_events.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/report/appended_log.h"

namespace palimpsest {

// By step, counted over all tasks: train/loss, train/gradient_norm, train/learning_rate,
// train/scale. By task, counted from 1: stream/alpha, stream/accuracy (on all tasks so far),
// stream/accuracy_newest (and _before_merge), stream/forgetting; tasks/07, the accuracy on task 7.
// Accuracies are shares. Throws as AppendedLog.
class TensorBoardReport : public RunListener {
 public:
  // Appends after the last whole record of what is there, or begins a file. `so_far`: of the tasks
  // that were learned before this program started.
  TensorBoardReport(const std::filesystem::path& path, AccuracyMatrix so_far);

  void on(const RunStarted& event) override;
  void on(const TaskStarted& event) override;
  void on(const StepDone& event) override;
  void on(const Merged& event) override;
  void on(const Evaluated& event) override;
  void on(const CheckpointTaken&) override { log_.flush(); }

  void close() { log_.close(); }

 private:
  AppendedLog log_;
  AccuracyMatrix accuracy_;
  EvaluationRow before_merge_;
  int tasks_ = 0;
  std::int64_t steps_before_ = 0;
};

}  // namespace palimpsest
