#pragma once
// Facts of a record that several views share.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

// The one coefficient of rules that have one.
std::optional<double> alpha_of(const MergeRecord& merge);
// Frobenius norm over all modules.
double norm_of_delta(const TaskSummary& summary);
// "83.0 -> 78.3": two shares in percent.
std::string before_and_after(double before, double after);
// A line: content hash, format and writer.
std::string identity_text(const FileIdentity& identity);
nlohmann::ordered_json identity_json(const FileIdentity& identity);
// "admin, net, python".
std::string listed(const std::vector<std::string>& names);
// fixed(*value, decimals), or "-".
std::string fixed_or_dash(const std::optional<double>& value, int decimals);
nlohmann::ordered_json number_or_null(const std::optional<double>& value);
nlohmann::ordered_json task_json(const TaskSummary& summary);
// Indented; bytes that are not UTF-8 are replaced.
std::string dump(const nlohmann::ordered_json& json);

}  // namespace palimpsest
