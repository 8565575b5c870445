#include <array>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/remerge/merge_record.h"
#include "palimpsest/remerge/run_merge.h"
#include "recorded_run.h"

namespace palimpsest {
namespace {

// Mean over task i's test samples; nullopt where it wasn't tested, and in rows without losses.
std::optional<double> mean_loss(const EvaluationRow& row, std::size_t i) {
  const Score* loss = row.find(kLossGivenTask);
  if (loss == nullptr) loss = row.find(kLossPerToken);
  if (loss == nullptr || row.samples[i] == 0) return std::nullopt;
  return mean(*loss, i);
}

std::vector<std::vector<std::optional<double>>> measured_rises(const RecordedRun& run) {
  std::vector<std::vector<std::optional<double>>> rises(run.tasks.size());
  bool any = false;
  for (std::size_t t = 0; t < run.tasks.size(); ++t) {
    for (std::size_t i = 0; i <= t; ++i) {
      const auto after = mean_loss(run.tasks[t].record.metrics.after_merge, i);
      const auto before = mean_loss(run.tasks[i].record.metrics.before_merge, i);
      rises[t].emplace_back();
      if (!after || !before) continue;
      rises[t].back() = *after - *before;
      any = true;
    }
  }
  if (!any) return {};
  return rises;
}

}  // namespace

Audit audit_run(const std::filesystem::path& path, int threads) {
  const RecordedRun run = open_recorded_run(path);
  const std::size_t count = run.tasks.size();
  const auto read = [&](std::size_t i) {
    return read_task_parts(run.folder.task_file(static_cast<std::int64_t>(i)),
                           {.lora = true, .fisher = true});
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (run.tasks[i].record.fisher || read(i).lora.empty()) continue;
    throw UsageError(concat(
        path.string(), ": task ", i + 1, " has no Fisher, so that no rise can be ",
        "predicted: its merge rule, ", run.tasks[i].rule->settings().text(), ", needed none"));
  }
  std::vector<std::vector<float>> merged;  // theta_hat_0, theta_hat_1, ...
  remerge_run({.run = path, .threads = threads, .on_merged = [&](const auto& weights) {
                 if (merged.empty()) merged.emplace_back(weights.size());
                 merged.push_back(weights);
               }});
  Audit audit{.predicted = std::vector<std::vector<std::optional<double>>>(count),
              .measured = measured_rises(run)};
  for (std::size_t t = 0; t < count; ++t) audit.predicted[t].resize(t + 1);
  const EvaluationRow& newest = run.tasks.back().record.metrics.after_merge;
  audit.is_by_token = newest.find(kLossPerToken) != nullptr;
  read_ahead(count, read, [&](std::size_t i, const TaskRecord& record) {
    audit.task_names.push_back(record.name);
    if (!record.fisher) return;  // no factor learned
    const AdaptedLayout layout = adapter_layout(record.lora);
    const std::vector<float> optimum =
        merge_by_coefficients(layout, std::array{1.0}, merged[i],
                              make_task_vector(record.lora, layout, threads), threads);
    for_each_index(count - i, threads, [&](std::size_t later) {
      audit.predicted[i + later][i] =
          record.fisher->factor *
          quadratic_rise(layout, nullptr, record.fisher->values, merged[i + later + 1], optimum);
    });
  });
  return audit;
}

}  // namespace palimpsest
