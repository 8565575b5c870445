#pragma once
// Writes every event of a run as one JSON object per line: metrics.jsonl, for programs that plot or
// watch.
#include <filesystem>

#include "palimpsest/core/run_events.h"
#include "palimpsest/report/appended_log.h"

namespace palimpsest {

// Each line has "event" ("run_started", "task_started", "step", "task_trained", "merged",
// "error_budget", "evaluated", "task_saved", "run_finished"), "time" (seconds since 1970) and the
// event's own fields. Numbers that are not finite are null. All lines but those of steps are handed
// to the system at once, so that a reader sees whole tasks. Throws as AppendedLog.
class JsonLinesReport : public RunListener {
 public:
  // Appends; makes the file where there is none.
  explicit JsonLinesReport(std::filesystem::path path) : log_(std::move(path)) {}

  void on(const RunStarted& event) override;
  void on(const TaskStarted& event) override;
  void on(const StepDone& event) override;
  void on(const StepSkipped& event) override;
  void on(const TaskTrained& event) override;
  void on(const Merged& event) override;
  void on(const ErrorBudget& event) override;
  void on(const Evaluated& event) override;
  void on(const Remark& event) override;
  void on(const TaskSaved& event) override;
  void on(const CheckpointTaken& event) override;
  void on(const RunFinished& event) override;

  void close() { log_.close(); }

 private:
  void write(std::string_view line, bool at_once = true) { log_.write(line, at_once); }

  AppendedLog log_;
};

}  // namespace palimpsest
