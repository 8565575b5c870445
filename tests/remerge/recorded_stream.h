#pragma once
// A run folder with random tasks, merged as training would, and the same numbers in memory.
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/remerge/merge_record.h"
#include "support/scored_row.h"

namespace palimpsest {

inline std::vector<float> random_floats(std::int64_t size, std::uint64_t index, double bound = 1) {
  std::vector<float> values(static_cast<std::size_t>(size));
  fill_uniform(values, bound, RandomStream(23, Purpose::kTest, 0, index));
  return values;
}

struct RecordedStream {
  static constexpr std::int64_t kOut[] = {4, 6}, kIn[] = {5, 3};

  std::filesystem::path folder;
  AdaptedLayout layout{{{.name = "a", .out = 4, .in = 5}, {.name = "b", .out = 6, .in = 3}}};
  std::vector<std::vector<float>> merged{std::vector<float>(38)};  // theta_hat_0, theta_hat_1, ...
  std::vector<std::vector<float>> optima, fishers;
  std::vector<double> factors;
  CurvatureMemory memory{38};

  RecordedStream(const RecordedStream&) = delete;
  explicit RecordedStream(const std::string& rule, int tasks = 4, std::uint64_t seed = 1)
      : RecordedStream([rule](int) { return rule; }, tasks, seed) {}

  // recorded_rule(task): the rule may change on the way, as in a run that was forked. ewc: Fishers
  // are measured, and enter the memory, whatever the rule. learning: so many tasks at the front
  // train factors.
  template <typename RuleOf>
  RecordedStream(const RuleOf& recorded_rule, int tasks, std::uint64_t seed, bool ewc = false,
                 int learning = 1000)
      : learning_(learning) {
    folder = std::filesystem::temp_directory_path() /
             concat("palimpsest_remerge_", getpid(), "_", seed, "_", next_number());
    const RunFolder run(folder);
    run.create("{}");
    StateRecord state;
    state.layout = layout;
    for (int t = 0; t < tasks; ++t) {
      const auto rule = make_merge_rule(recorded_rule(t));
      const TaskRecord record = train(t, *rule, seed, ewc);
      state.tasks_done = t + 1;
      state.merged = merged.back();
      put_head(state.memory, t, record.head);
      state.classes.push_back(record.classes);
      state.accuracy.add_row(record.metrics.after_merge, record.metrics.before_merge);
      run.commit(record, state);
    }
  }
  ~RecordedStream() { std::filesystem::remove_all(folder); }

 private:
  int learning_;

  static int next_number() {
    static int number = 0;
    return number++;
  }

  TaskRecord train(int t, const MergeRule& rule, std::uint64_t seed, bool ewc) {
    const std::uint64_t index = 1000 * seed + 10 * static_cast<std::uint64_t>(t);
    TaskRecord record;
    record.index = t;
    record.name = concat("stream ", t + 1);
    record.classes = {concat("left ", t), concat("right ", t)};
    record.train_samples = 10;
    record.config = "{}";
    record.head = {.classes = 2,
                   .features = 1,
                   .weight = random_floats(2, index + 5),
                   .bias = random_floats(2, index + 6)};
    for (std::uint64_t m = 0; m < 2 && t < learning_; ++m) {
      record.lora.push_back({.module = m == 0 ? "a" : "b",
                             .out = kOut[m],
                             .in = kIn[m],
                             .rank = 2,
                             .scale = 0.5,
                             .a = random_floats(2 * kIn[m], index + m),
                             .b = random_floats(2 * kOut[m], index + 2 + m)});
    }
    const std::vector<float> delta = make_task_vector(record.lora, layout);
    optima.push_back(merge_by_coefficients(layout, std::array{1.0}, merged.back(), delta));
    fishers.push_back(random_floats(layout.size(), index + 4));
    for (float& value : fishers.back()) value = std::abs(value);
    factors.push_back(1 + 0.25 * t);
    const std::vector<LowRankFactors> low_rank = to_low_rank_factors(record.lora);
    MergeInput task{.task = t,
                    .merged = merged.back(),
                    .task_vector = record.lora.empty() ? std::span<const float>() : delta,
                    .layout = layout,
                    .memory = memory,
                    .factors = low_rank};
    if (!record.lora.empty() && (ewc || rule.needs().fisher)) {
      record.fisher = FisherRecord{.kind = "empirical-per-sample",
                                   .samples = 10,
                                   .transform = "test",
                                   .scale = "none",
                                   .factor = factors.back(),
                                   .values = fishers.back()};
      task.fisher = fishers.back();
      task.fisher_factor = factors.back();
    }
    TaskMerge merge = merge_task(rule, task, optima.back(), memory);
    record.merge = to_record(rule, merge);
    record.merge.weights_before = weights_hash(merged.back());
    record.merge.weights_after = weights_hash(merge.merged);
    merged.push_back(std::move(merge.merged));
    const std::vector<std::int64_t> counts(static_cast<std::size_t>(t) + 1, 8);
    record.metrics.before_merge = counted(counts, counts, counts);
    record.metrics.after_merge = record.metrics.before_merge;
    return record;
  }
};

}  // namespace palimpsest
