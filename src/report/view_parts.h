#pragma once
// What the views of a run, a task, a state and a pack have in common.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/core/readable.h"
#include "palimpsest/format/records.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/metrics/decomposition.h"
#include "palimpsest/report/views.h"

namespace palimpsest {

using Json = nlohmann::ordered_json;

inline constexpr int kWidth = 100;  // columns

// Frobenius norm over all modules.
double delta_norm(const TaskSummary& summary);
// A line: content hash, format and writer.
std::string identity_text(const FileIdentity& identity);
Json identity_json(const FileIdentity& identity);
// What run.json says of how the run began; null where there is none. Throws InputError where it is
// damaged.
Json read_run_json(const std::filesystem::path& folder);
// The settings of a record in today's spelling, with their defaults for those that its version
// didn't know, so that runs of two versions compare. No object where the record has none.
Json recorded_settings(const std::string& recorded_json);
// Whether the settings of a record request accuracy given the task.
bool is_task_given(const Json& config);
// Samples and the sums of every score by task, null where no samples were tested; weights of those
// that aren't divided by the samples. Without counts by class.
Json row_json(const EvaluationRow& row);
// A mean in a table: a share in percent with one decimal, anything else with these decimals.
std::string mean_text(const Score& score, double mean, int decimals);
// What the columns of these scores mean: a line under a table.
std::string meanings(const std::vector<Score>& scores);
template <typename Value>
Json number_or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}
// What was evaluated, as JSON; its remarks, a line or more each.
Json title_json(const char* type, const EvaluationTitle& title);
std::string remarks_text(const EvaluationTitle& title);
Json task_json(const std::filesystem::path& file, const TaskSummary& summary);
// Identity and every field of a record, except for weights.
Json record_json(const std::filesystem::path& file, const FileIdentity& identity);
// Every number of stream_metrics() by its name; null where it is not defined.
Json metrics_json(const AccuracyMatrix& accuracy);
// Indented; bytes that are not UTF-8 are replaced.
std::string dump(const Json& json);

struct RunRecords {
  std::vector<TaskSummary> tasks;     // those finished
  AccuracyMatrix accuracy;            // of the run's own classifier
  std::vector<OtherAccuracy> others;  // of the others
  TaskClasses classes() const;
};

// Throws InputError where a record is missing, damaged or of another task.
RunRecords read_run_records(const RunFolder& folder);

// The same, of a run that must have finished a task.
RunRecords read_finished(const std::filesystem::path& folder);

}  // namespace palimpsest
