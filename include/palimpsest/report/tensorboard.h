#pragma once
// Writes what TensorBoard shows: curves over the steps of a run, and over its tasks.
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "palimpsest/core/run_events.h"
#include "palimpsest/format/records.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/report/appended_log.h"

namespace palimpsest {

// By step, counted over all tasks: train/loss, train/gradient_norm, train/learning_rate,
// train/scale. By task, counted from 1: stream/alpha, stream/rise_measured and _predicted (the
// error budget), stream/accuracy (on all tasks so far), stream/accuracy_newest (and _before_merge),
// stream/forgetting; tasks/07, the accuracy on task 7. Of another classifier than the run's own,
// its name takes the place of "stream", and tasks/07 is NAME/task_07. Accuracies are shares. Throws
// as AppendedLog.
class TensorBoardReport : public RunListener {
 public:
  // Appends after the last whole record of what is there, or begins a file. `so_far`: of the tasks
  // that were learned before this program started; `others`, by the run's other classifiers.
  // task_given: accuracies are those with the task
  // given.
  TensorBoardReport(const std::filesystem::path& path, const AccuracyMatrix& so_far,
                    std::span<const OtherAccuracy> others = {}, bool task_given = false);

  void on(const RunStarted& event) override;
  void on(const TaskStarted& event) override;
  void on(const StepDone& event) override;
  void on(const Merged& event) override;
  void on(const ErrorBudget& event) override;
  void on(const Evaluated& event) override;
  void on(const CheckpointTaken&) override { log_.flush(); }

  void close() { log_.close(); }

 private:
  struct Curve {
    AccuracyMatrix accuracy;
    EvaluationRow before_merge = {};
  };

  AppendedLog log_;
  Curve own_;
  std::map<std::string, Curve> others_;  // by classifier
  bool task_given_;
  int tasks_ = 0;
  std::int64_t steps_before_ = 0;
};

}  // namespace palimpsest
