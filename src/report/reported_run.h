#pragma once
// All that a page says of a run, as its files say it.
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/format/records.h"
#include "view_parts.h"

namespace palimpsest {

struct ReportedRun {
  std::filesystem::path folder;
  Json run;     // run.json; null where it is missing
  Json config;  // the settings of the newest task, then those of run.json that a record leaves out
  std::vector<TaskSummary> tasks;  // those finished
  // With the task given where the run's scenario gives it; `among_all` is among all classes seen in
  // any case.
  AccuracyMatrix accuracy, among_all;
  std::vector<OtherAccuracy> others = {};  // by the run's other classifiers, among all
  std::string state_content_sha256;        // of the newest state; "" before the first

  std::string name() const;  // of the folder
  // Of a setting that is a text; "" where it is none, or missing.
  std::string text_setting(const char* key) const;
};

// Throws InputError: no run folder, or a record that is damaged.
ReportedRun read_reported_run(const std::filesystem::path& folder);

// The losses of the steps of one task, as metrics.jsonl has them, in order.
struct TaskLosses {
  std::int64_t task = 0;
  std::vector<double> losses = {};
};
struct RunLosses {
  std::vector<TaskLosses> tasks = {};
  std::int64_t damaged_lines = 0;  // of any event: left out, and counted
};
// Empty where the file is missing.
RunLosses read_losses(const std::filesystem::path& metrics_file);

// A number of stream_metrics(), as the field calls it.
struct Measure {
  std::string key, name, meaning;
  bool is_difference;          // points of percent, rather than percent
  bool is_of_a_score = false;  // the last mean of another score than the primary one
};
std::span<const Measure> measures();
// nullopt where it is not defined.
std::optional<double> measure_value(const Measure& measure, const AccuracyMatrix& accuracy);

// Accuracy on one task; nullopt where it was not tested.
std::optional<double> accuracy_on(const EvaluationRow& row, std::size_t task);

// "43.5 %", "4.1 points", "-".
std::string measure_text(const Measure& measure, const std::optional<double>& value);

// A setting's value as a configuration file has it.
std::string setting_text(const Json& value);

}  // namespace palimpsest
