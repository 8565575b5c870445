#pragma once
// What a person watches during a run: a progress bar on a terminal, plain lines in a log,
// two lines per task.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/config/run_config.h"
#include "palimpsest/core/run_events.h"

namespace palimpsest {

struct TerminalSettings {
  enum class Steps { kBar, kPlain, kNone };
  Steps steps = Steps::kPlain;
  std::int64_t log_every = 50;  // steps between plain lines
  bool colour = false;
  int width = 100;          // columns
  bool task_given = false;  // accuracies are those given the task
};

// Asks whether `out` is a
// terminal, how wide it is, and whether NO_COLOR is set.
TerminalSettings terminal_settings(std::FILE* out, const ProgressSettings& progress);

class TerminalReport : public RunListener {
 public:
  TerminalReport(std::FILE* out, TerminalSettings settings) : out_(out), settings_(settings) {}
  // Leaves no half-drawn bar behind.
  ~TerminalReport() override;
  TerminalReport(const TerminalReport&) = delete;
  TerminalReport& operator=(const TerminalReport&) = delete;

  void on(const RunStarted& event) override;
  void on(const TaskStarted& event) override;
  void on(const StepDone& event) override;
  void on(const StepSkipped& event) override;
  void on(const TaskTrained& event) override;
  void on(const Merged& event) override;
  void on(const ErrorBudget& event) override;
  void on(const Evaluated& event) override;
  void on(const Remark& event) override;
  void on(const TaskLearned& event) override;
  void on(const RunFinished& event) override;

 private:
  void print(const std::string& text);
  void draw_bar(const StepDone& event, const std::string& numbers);
  void clear_bar();
  std::string painted(const std::string& text, const char* code) const;
  // "accuracy on this task 71.0 -> 68.3 %, on all so far 70.1 -> 69.9 %", of a classifier.
  std::string change(std::size_t classifier) const;

  std::FILE* out_;
  TerminalSettings settings_;
  int tasks_ = 0;
  bool bar_drawn_ = false;
  std::chrono::steady_clock::time_point last_drawn_;
  double task_seconds_ = 0;  // of the steps of this task, as its steps reported them
  std::int64_t task_samples_ = 0;
  std::int64_t task_steps_ = 0;  // done by this process
  std::optional<Merged> merged_;
  std::optional<ErrorBudget> budget_;
  std::vector<Evaluated> before_merge_, after_merge_;  // by classifier
};

}  // namespace palimpsest
