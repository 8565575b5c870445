#include "palimpsest/remerge/remerge.h"

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/remerge/merge_record.h"

namespace palimpsest {
namespace {

// The same order of additions at every number of threads.
double l2_norm(std::span<const float> values, int threads) {
  std::vector<double> squares(part_count(values.size()));
  for_each_part(values.size(), threads, [&](std::size_t begin, std::size_t end) {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const double value = values[i];
      sum += value * value;
    }
    squares[begin / kPartSize] = sum;
  });
  double sum = 0;
  for (const double square : squares) sum += square;
  return std::sqrt(sum);
}

std::vector<float> difference(std::span<const float> a, std::span<const float> b, int threads) {
  std::vector<float> values(a.size());
  for_each_part(values.size(), threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      values[i] = static_cast<float>(static_cast<double>(a[i]) - b[i]);
    }
  });
  return values;
}

}  // namespace

Remerge::Remerge(const MergeRule& rule, AdaptedLayout layout, bool keeps_memory, int threads)
    : rule_(&rule),
      layout_(std::move(layout)),
      threads_(threads),
      merged_(static_cast<std::size_t>(layout_.size())),
      memory_(keeps_memory ? merged_.size() : 0) {}

const FisherRecord* Remerge::find_fisher(const EndPoint& point) const {
  return memory_.size() > 0 ? point.fisher : nullptr;
}

void Remerge::check_kind(const FisherRecord& fisher, const std::string& name) {
  const std::string kind =
      concat(fisher.kind, fisher.scale.empty() ? "" : ", scale ", fisher.scale);
  if (kind_.empty()) {
    kind_ = kind;
    kind_of_ = name;
  }
  if (kind == kind_) return;
  throw UsageError(concat("the curvature of ", kind_of_, " is ", kind_, ", that of ", name, " is ",
                          kind, ": sums of both would mean nothing"));
}

MergedTask Remerge::take(const EndPoint& point, bool is_last) {
  const MergeNeeds needs = rule_->needs();
  MergedTask made{.name = point.name, .index = 0};
  const bool over_all = needs.memory == RuleMemory::kAllTaskVectors;
  const bool has_vector = !point.task_vector.empty();
  if (over_all && has_vector) end_points_.emplace_back(point.weights.begin(), point.weights.end());
  if (over_all && !is_last) {
    ++tasks_;
    return made;
  }
  // theta_hat stays.
  const bool keeps = !has_vector && (!over_all || end_points_.empty());
  const FisherRecord* fisher = find_fisher(point);
  if (needs.fisher && !keeps && fisher == nullptr) {
    throw UsageError(concat("merge rule '", rule_->name(), "' needs every task's curvature, and ",
                            point.name,
                            " has none: no Fisher was recorded with it (a run measures ",
                            "one where its rule or penalty needs it), and no sidecar was given"));
  }
  if (fisher != nullptr) check_kind(*fisher, point.name);
  const bool is_recorded =
      point.base.data() == merged_.data() || std::ranges::equal(merged_, point.base);
  if (needs.factors && !keeps && (!is_recorded || point.lora == nullptr)) {
    throw UsageError(concat("merge rule '", rule_->settings().text(),
                            "' needs the factors A and B of every task ", "vector, and that of ",
                            point.name,
                            " has none in this merge: measured from another merge than the ",
                            "one it was trained on, it is no longer s B A. by=module, and "
                            "by=coordinate without shrink, need no "
                            "factors"));
  }
  std::vector<float> moved;
  if (!keeps && !(is_recorded && has_vector)) moved = difference(point.weights, merged_, threads_);
  const std::vector<LowRankFactors> factors =
      needs.factors ? to_low_rank_factors(*point.lora) : std::vector<LowRankFactors>();
  const std::vector<std::span<const float>> all(end_points_.begin(), end_points_.end());
  MergeInput task{.task = over_all ? std::ssize(end_points_) - 1 : tasks_,
                  .merged = merged_,
                  .task_vector = moved.empty() ? point.task_vector : moved,
                  .layout = layout_,
                  .memory = memory_,
                  .factors = factors,
                  .all_task_vectors = all,
                  .threads = threads_};
  if (fisher != nullptr) {
    task.fisher = fisher->values;
    task.fisher_factor = fisher->factor;
  }
  TaskMerge merge = merge_task(*rule_, task, point.weights, memory_);
  ++tasks_;
  merged_ = std::move(merge.merged);
  made.record = to_record(*rule_, merge);
  made.record.weights_after = weights_hash(merged_);
  made.norm = l2_norm(merged_, threads_);
  made.predicted_rise = merge.predicted_rise;
  return made;
}

void Remerge::forget(const EndPoint& point, std::vector<float> before) {
  --tasks_;
  merged_ = std::move(before);
  if (rule_->needs().memory == RuleMemory::kAllTaskVectors && !point.task_vector.empty())
    end_points_.pop_back();
  const FisherRecord* fisher = find_fisher(point);
  if (fisher == nullptr) return;
  memory_.remove(fisher->values, point.weights, fisher->factor, threads_);
}

}  // namespace palimpsest
