#pragma once
// Writes every event of a run as one JSON object per line: metrics.jsonl, for programs that plot or
// watch.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "palimpsest/core/run_events.h"

namespace palimpsest {

// Each line has "event" ("run_started", "task_started", "step", "task_trained", "merged",
// "error_budget", "evaluated", "task_saved", "run_finished"), "time" (seconds since 1970) and the
// event's own fields. Numbers that are not finite are null. All lines but those of steps are handed
// to the system at once, so that a reader sees whole tasks. Every call throws Error when the file
// cannot be written.
class JsonLinesReport : public RunListener {
 public:
  // Appends; makes the file where there is none.
  explicit JsonLinesReport(std::filesystem::path path);

  void on(const RunStarted& event) override;
  void on(const TaskStarted& event) override;
  void on(const StepDone& event) override;
  void on(const StepSkipped& event) override;
  void on(const TaskTrained& event) override;
  void on(const Merged& event) override;
  void on(const ErrorBudget& event) override;
  void on(const Evaluated& event) override;
  void on(const TaskSaved& event) override;
  void on(const CheckpointTaken& event) override;
  void on(const RunFinished& event) override;

  // Nothing can be written after it. The destructor closes too, and keeps silent about failures.
  void close();

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void write(const std::string& line, bool at_once = true);
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace palimpsest
