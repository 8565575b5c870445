#pragma once
// What one evaluation measured, by task: named sums and what they are divided by.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

// One entry per task. Counts are exact: they stay below 2^53.
struct Score {
  std::string name;             // metrics/scores.h says what is known of it
  std::vector<double> sums;     // over the task's test samples
  std::vector<double> weights;  // what they are divided by: samples, or tokens
  bool operator==(const Score&) const = default;
};

// Sum over weight of one task, and of all tasks together; 0 where the weight is 0.
double mean(const Score& score, std::size_t task);
double mean(const Score& score);

// Over the tasks seen so far, from 0. No samples: not tested (its data isn't available).
struct EvaluationRow {
  std::vector<std::int64_t> samples;  // by task
  // In the order in which they are shown. The first is the primary one, a share of samples: what
  // accuracy, forgetting and the like are read from.
  std::vector<Score> scores = {};
  // By class, task after task: test samples, and those of them that the primary score counts. Empty
  // where nothing was counted.
  std::vector<std::int64_t> class_samples = {}, class_correct = {};

  // Adds a score that is divided by the samples.
  void add(std::string name, std::vector<double> sums);
  // nullptr: there is none of this name.
  const Score* find(std::string_view name) const;
  // Throws Error where there is none.
  const Score& score(std::string_view name) const;

  // Of the primary score. Throw Error where there is no score at all.
  double accuracy(std::size_t task) const;
  // sum_j correct / sum_j samples: A_t of docs/how-it-works.md, sample-weighted.
  double sample_weighted() const;
  // Mean of R[t][j] over the tasks that were tested.
  double task_mean() const;

  bool operator==(const EvaluationRow&) const = default;
};

}  // namespace palimpsest
