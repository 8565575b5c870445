#pragma once
// All that a page says of a run, as its files say it.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

using Json = nlohmann::ordered_json;

struct RunRecords {
  std::filesystem::path folder;
  Json run;     // run.json; null where it is missing or damaged
  Json config;  // the settings of the newest task, then those of run.json that a record leaves out
  std::vector<TaskSummary> tasks;
  AccuracyMatrix accuracy;
  std::string state_content_sha256;  // of the newest state; "" before the first

  std::string name() const;  // of the folder
  // Of a setting that is a text; "" where it is none, or missing.
  std::string text_setting(const char* key) const;
};

// Throws InputError: no run folder, or a record that is damaged.
RunRecords read_run_records(const std::filesystem::path& folder);

// The losses of the steps of one task, as metrics.jsonl has them, in order.
struct TaskLosses {
  std::int64_t task = 0;
  std::vector<double> losses = {};
};
// Lines that are damaged are left out; empty where the file is missing.
std::vector<TaskLosses> read_losses(const std::filesystem::path& metrics_file);

// A number that is read from a run's accuracies: as the field calls it, and what it is.
struct Measure {
  const char* key;
  const char* name;
  const char* meaning;
  bool is_difference;  // points of percent, rather than percent
  std::optional<double> (*value)(const AccuracyMatrix&);
};
std::span<const Measure> measures();

// "43.5 %", "4.1 points", "-".
std::string measure_text(const Measure& measure, const std::optional<double>& value);

// A setting's value as a configuration file has it.
std::string setting_text(const Json& value);

}  // namespace palimpsest
