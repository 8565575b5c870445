#pragma once
// What the views of a run, a task, a state and a pack have in common.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

inline constexpr int kWidth = 100;  // columns

// Frobenius norm over all modules.
double norm_of_delta(const TaskSummary& summary);
// "83.0 -> 78.3": two shares in percent.
std::string before_and_after(double before, double after);
// fixed(*value, decimals), or "-".
std::string fixed_or_dash(const std::optional<double>& value, int decimals);
// A share in percent, with one decimal, or "-".
std::string percent_or_dash(const std::optional<double>& share);
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
Json number_or_null(const std::optional<double>& value);
Json task_json(const std::filesystem::path& file, const TaskSummary& summary);
// Identity and every field of a record, except for weights.
Json record_json(const std::filesystem::path& file, const FileIdentity& identity);
// Every number of stream_metrics() by its name; null where it is not defined.
Json metrics_json(const AccuracyMatrix& accuracy);
// Indented; bytes that are not UTF-8 are replaced.
std::string dump(const Json& json);

}  // namespace palimpsest
