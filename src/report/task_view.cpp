#include <algorithm>
#include <cmath>
#include <optional>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

Json row_and_classes_json(const EvaluationRow& row) {
  Json json = row_json(row);
  if (row.class_samples.empty()) return json;
  json.update({{"class_samples", row.class_samples}, {"class_correct", row.class_correct}});
  return json;
}

std::string module_table(const TaskSummary& summary) {
  const MergeRecord& merge = summary.record.merge;
  const bool has_alphas = merge.module_numerators.size() == summary.modules.size() &&
                          merge.module_denominators.size() == summary.modules.size();
  Rows rows = {{"module", "shape", "rank", "|A|", "|B|", "|Delta|", "Fisher mass"}};
  const bool is_by_module =
      summary.modules.size() > 1 && merge.coefficients.size() == summary.modules.size();
  if (has_alphas) rows[0].push_back("own alpha");
  if (is_by_module) rows[0].push_back("alpha");
  for (std::size_t i = 0; i < summary.modules.size(); ++i) {
    const ModuleStatistics& module = summary.modules[i];
    rows.push_back({module.module, concat(module.out, " x ", module.in),
                    std::to_string(module.rank), fixed(module.norm_a, 3), fixed(module.norm_b, 3),
                    fixed(module.norm_delta, 4), scientific(module.fisher_sum, 2)});
    if (has_alphas) {
      rows.back().push_back(fixed(merge.module_numerators[i] / merge.module_denominators[i], 3));
    }
    if (is_by_module) {
      rows.back().push_back(fixed(merge.coefficients[i], 3));
    }
  }
  return text_table(rows, "llrrrrrrr") +
         (has_alphas
              ? concat("own alpha: the closed form of the module alone",
                       merge.coefficients.size() == 1 ? "; the merge uses one for all" : "", "\n")
              : "");
}

// The scores that both rows have, before and after the merge.
std::string accuracy_table(const EvaluationRow& before, const EvaluationRow& after) {
  std::vector<Score> scores;
  Rows rows = {{"task", "samples"}};
  for (const Score& score : after.scores) {
    if (before.find(score.name) == nullptr) continue;
    scores.push_back(score);
    rows[0].emplace_back(score_info(score.name).column);
  }
  for (std::size_t j = 0; j < after.samples.size(); ++j) {
    rows.push_back({std::to_string(j + 1), std::to_string(after.samples[j])});
    const auto on_task = [&](const EvaluationRow& row, const std::string& name) {
      return row.score(name).weights[j] == 0
                 ? std::nullopt
                 : std::optional(mean_text(row.score(name), mean(row.score(name), j), 3));
    };
    for (const Score& score : scores)
      rows.back().push_back(
          before_and_after(on_task(before, score.name), on_task(after, score.name)));
  }
  rows.push_back({"all", ""});
  const auto on_all = [](const EvaluationRow& row, const std::string& name) {
    return is_over_seen(row) ? std::optional(mean_text(row.score(name), mean(row.score(name)), 3))
                             : std::nullopt;
  };
  for (const Score& score : scores)
    rows.back().push_back(before_and_after(on_all(before, score.name), on_all(after, score.name)));
  return text_table(rows, std::string(rows[0].size(), 'r')) + meanings(scores);
}

// Of alpha = sum_m N_m / sum_m D_m over M modules, as of a ratio estimator (Cochran, Sampling
// Techniques, 1977, 6.4): sqrt(M / (M - 1) sum_m (N_m - alpha D_m)^2) / sum_m D_m. nullopt where
// alpha isn't such a sum, and of one module.
std::optional<double> alpha_standard_error(const MergeRecord& merge) {
  const std::size_t modules = merge.module_numerators.size();
  if (modules < 2 || merge.module_denominators.size() != modules ||
      merge.coefficients.size() != 1 || !merge.alpha_unclamped)
    return std::nullopt;
  double squares = 0, denominator = 0;
  for (std::size_t m = 0; m < modules; ++m) {
    const double rest =
        merge.module_numerators[m] - *merge.alpha_unclamped * merge.module_denominators[m];
    squares += rest * rest;
    denominator += merge.module_denominators[m];
  }
  if (denominator == 0) return std::nullopt;
  const auto count = static_cast<double>(modules);
  return std::sqrt(count / (count - 1) * squares) / denominator;
}

std::string merge_text(const MergeRecord& merge) {
  std::string text = concat("merge ", merge.rule, "\n  alpha ", fixed(merge.alpha(), 6));
  if (merge.coefficients.size() > 1) {
    const auto [least, most] = std::ranges::minmax(merge.coefficients);
    text += concat(" in the mean of ", merge.coefficients.size(), ", from ", fixed(least, 6),
                   " to ", fixed(most, 6));
  }
  if (merge.alpha_unclamped) {
    text += concat(", before the clamp ", fixed(*merge.alpha_unclamped, 6));
  }
  if (const auto error = alpha_standard_error(merge))
    text += concat(", standard error over modules ", fixed(*error, 6));
  if (merge.numerator && merge.denominator) {
    text +=
        concat(" = ", scientific(*merge.numerator, 6), " / ", scientific(*merge.denominator, 6));
  }
  text += concat("\n  weights ", short_hash(merge.weights_before), " -> ",
                 short_hash(merge.weights_after), "\n");
  if (!merge.remark.empty()) text += "  " + wrap(merge.remark, kWidth, 2, 2) + "\n";
  return text;
}

}  // namespace

Json task_json(const std::filesystem::path& file, const TaskSummary& summary) {
  Json json = record_json(file, summary.identity);
  const TaskMetrics& metrics = summary.record.metrics;
  json["metrics"]["before_merge"] = row_and_classes_json(metrics.before_merge);
  json["metrics"]["after_merge"] = row_and_classes_json(metrics.after_merge);
  json["metrics"]["classifier"] = metrics.classifier;
  json["metrics"]["others"] = Json::array();
  for (const ClassifierRows& other : metrics.others)
    json["metrics"]["others"].push_back({{"classifier", other.classifier},
                                         {"before_merge", row_and_classes_json(other.before_merge)},
                                         {"after_merge", row_and_classes_json(other.after_merge)}});
  json["norm_delta"] = delta_norm(summary);
  json["alpha_standard_error"] = number_or_null(alpha_standard_error(summary.record.merge));
  return json;
}

View task_view(const std::filesystem::path& file) {
  const TaskSummary summary = read_task_summary(file);
  const TaskRecord& record = summary.record;
  const TaskMetrics& metrics = record.metrics;
  std::string text = concat(
      "task ", record.index + 1, " (", record.name, "): ", record.classes.size(), " classes, ",
      grouped(record.train_samples), " training samples, seed ", record.seed, "\n  ",
      wrap(join(record.classes), kWidth, 2, 2), "\n", identity_text(summary.identity),
      "  backbone ", record.backbone_name, " ", short_hash(record.backbone_sha256), ", pack ",
      short_hash(record.pack_content_sha256), "\n\n", merge_text(record.merge));
  if (record.fisher) {
    text += concat("Fisher ", record.fisher->kind, " over ", grouped(record.fisher->samples),
                   " samples, transform ", record.fisher->transform, ", scale ",
                   record.fisher->scale, ", factor ", scientific(record.fisher->factor, 3), "\n");
  }
  if (!summary.modules.empty()) {
    text += concat("\n", module_table(summary), "|Delta| of all: ", fixed(delta_norm(summary), 4),
                   summary.finite ? "" : "; SOME NUMBERS ARE NOT FINITE", "\n");
  }
  text += concat("\nbefore -> after the merge, on the test samples of each task",
                 metrics.classifier.empty() ? "" : concat(", by ", metrics.classifier), "\n",
                 accuracy_table(metrics.before_merge, metrics.after_merge));
  for (const ClassifierRows& other : metrics.others)
    text += concat("\nthe same by ", other.classifier, "\n",
                   accuracy_table(other.before_merge, other.after_merge));
  text +=
      concat("\nloss ", fixed(metrics.loss_first_step, 4), " -> ", fixed(metrics.loss_last_pass, 4),
             "; training ", duration(metrics.seconds_train), ", Fisher ",
             duration(metrics.seconds_fisher), ", merge ", duration(metrics.seconds_merge),
             ", evaluation ", duration(metrics.seconds_evaluate), "\n");
  if (metrics.rise_measured) {
    text += concat("the merge cost the task ", fixed(*metrics.rise_measured, 4),
                   " nats of its training loss; its quadratic predicted ",
                   fixed(metrics.rise_predicted, 4), "\n");
  }
  return {std::move(text), dump(task_json(file, summary))};
}

}  // namespace palimpsest
