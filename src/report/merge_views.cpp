#include <algorithm>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/remerge/run_merge.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

std::string coefficients_text(const MergeRecord& record) {
  if (record.coefficients.size() < 2) return fixed(record.alpha(), 4);
  const auto [least, most] = std::ranges::minmax(record.coefficients);
  return concat(fixed(*record.alpha(), 4), " (", fixed(least, 2), " to ", fixed(most, 2), ")");
}

std::string merge_table(const RemergeResult& result) {
  Rows rows = {{result.own_rule.empty() ? "" : "task", "name", "alpha", "unclamped", "|theta_hat|",
                "predicted rise", "hash"}};
  for (const MergedTask& task : result.tasks) {
    const bool is_merged = !task.record.weights_after.empty();
    rows.push_back({std::to_string(task.index + 1), result.record.task_names[rows.size() - 1],
                    coefficients_text(task.record), fixed(task.record.alpha_unclamped, 4),
                    is_merged ? fixed(task.norm, 4) : "-", scientific(task.predicted_rise, 2),
                    is_merged ? short_hash(task.record.weights_after) : "-"});
  }
  return text_table(rows, "rlrrrrl");
}

std::string as_paragraph(const std::string& text) { return wrap(text, kWidth, 0, 0) + "\n"; }

Json matrix_json(const std::vector<std::vector<std::optional<double>>>& rows) {
  if (rows.empty()) return {};
  Json json = Json::array();
  for (const auto& row : rows) {
    Json& values = json.emplace_back(Json::array());
    for (const std::optional<double>& value : row) values.push_back(number_or_null(value));
  }
  return json;
}

std::string triangle(const std::vector<std::vector<std::optional<double>>>& values) {
  Rows rows = {{"after"}};
  for (std::size_t t = 0; t < values.size(); ++t) {
    rows[0].push_back(std::to_string(t + 1));
    rows.push_back({std::to_string(t + 1)});
    for (const std::optional<double>& value : values[t]) {
      rows.back().push_back(fixed(value, 4));
    }
  }
  return text_table(rows, std::string(values.size() + 1, 'r'));
}

bool has_fall(const std::vector<std::vector<std::optional<double>>>& rows) {
  return std::ranges::any_of(rows, [](const auto& row) {
    return std::ranges::any_of(row, [](const auto& rise) { return rise && *rise < 0; });
  });
}

constexpr std::string_view kFall =
    "Below zero: the merged model has a lower loss on these test samples than the model that the "
    "task's\ntraining ended with, which had overfitted, or gains from other tasks. A prediction is "
    "never below\nzero: it takes the end of training as the lowest point.\n";

}  // namespace

View merge_view(const RemergeResult& result, const std::string& source, const std::string& out) {
  const MergedRecord& record = result.record;
  Json json = {{"type", "merge"},
               {"source", source},
               {"rule", Json::parse(record.rule)},
               {"own_rule", result.own_rule.empty() ? Json() : Json(result.own_rule)},
               {"post_hoc", record.post_hoc},
               {"verified_merges", result.verified},
               {"remarks", result.remarks},
               {"tasks", Json::array()},
               {"out", out.empty() ? Json() : Json(out)}};
  std::string remarks;
  for (const MergedTask& task : result.tasks) {
    const std::string& name = record.task_names[json["tasks"].size()];
    const MergeRecord& merge = task.record;
    const bool is_merged = !merge.weights_after.empty();
    json["tasks"].push_back({{"task", task.index},
                             {"name", name},
                             {"alpha", number_or_null(merge.alpha())},
                             {"coefficients", merge.coefficients},
                             {"alpha_unclamped", number_or_null(merge.alpha_unclamped)},
                             {"weights_after", is_merged ? Json(merge.weights_after) : Json()},
                             {"norm_merged", is_merged ? Json(task.norm) : Json()},
                             {"predicted_rise", number_or_null(task.predicted_rise)},
                             {"remark", merge.remark}});
    if (!merge.remark.empty())
      remarks += as_paragraph(concat("task ", task.index + 1, ": ", merge.remark));
  }
  std::string text =
      concat(source, " merged by ", result.rule, ", ", counted(result.tasks.size(), "task"), "\n\n",
             merge_table(result), "\n", remarks);
  for (const std::string& remark : result.remarks) text += as_paragraph(remark);
  if (result.verified > 0) {
    text += as_paragraph(
        concat(result.verified, " of the run's merges done again, each with the recorded hash"));
  }
  text += as_paragraph(record.post_hoc.empty() ? concat("this is the run's own model after task ",
                                                        result.tasks.back().index + 1)
                                               : record.post_hoc);
  text += out.empty() ? "nothing was written; --out merged.h5 keeps the weights\n"
                      : concat("written to ", out, "\n");
  return {std::move(text), dump(json)};
}

View audit_view(const Audit& audit, const std::string& run) {
  const Json json = {{"type", "audit"},
                     {"source", run},
                     {"tasks", audit.task_names},
                     {"predicted_rise_training_samples", matrix_json(audit.predicted)},
                     {"measured_rise_test_samples", matrix_json(audit.measured)}};
  std::string text = concat(
      run, ": how much each merge (row) raised the loss of each task (column), in nats per ",
      audit.is_by_token ? "token" : "sample", "\n\n",
      "predicted, on training samples: 1/2 d' F d with d from where the task's training ended (-: "
      "the task trained no factor)\n",
      triangle(audit.predicted), "\n");
  text += audit.measured.empty() ? "not measured: this run's evaluations have no losses\n"
                                 : concat("measured, on test samples",
                                          audit.is_by_token ? "" : ", among the task's own classes",
                                          " (-: not tested)\n", triangle(audit.measured),
                                          has_fall(audit.measured) ? kFall : "");
  return {std::move(text), dump(json)};
}

View cosines_view(const Cosines& cosines, const std::string& run) {
  const Json json = {{"type", "cosines"},
                     {"source", run},
                     {"tasks", cosines.task_names},
                     {"norms", cosines.norms},
                     {"cosines", cosines.cosine}};
  Rows rows = {{"task", "|Delta|"}};
  for (std::size_t t = 0; t < cosines.norms.size(); ++t) {
    rows[0].push_back(std::to_string(t + 1));
    rows.push_back({std::to_string(t + 1), fixed(cosines.norms[t], 4)});
    for (std::size_t other = 0; other <= t; ++other) {
      rows.back().push_back(fixed(cosines.cosine[t][other], 3));
    }
  }
  return {concat(run, ": cosines between task vectors\n\n",
                 text_table(rows, std::string(cosines.norms.size() + 2, 'r'))),
          dump(json)};
}

}  // namespace palimpsest
