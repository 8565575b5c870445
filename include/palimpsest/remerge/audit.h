#pragma once
// The merge error budget over old tasks: by how much every merge of a run raised the loss of every
// task so far.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace palimpsest {

// Row t: after the merge of task t; t + 1 entries, of the tasks up to t.
struct Audit {
  std::vector<std::string> task_names = {};
  // 1/2 (theta_hat_t - theta_i*)' F_i (theta_hat_t - theta_i*), the factor applied: nats per sample
  // of task i's training samples, as its quadratic has it.
  std::vector<std::vector<double>> predicted;
  // Mean loss of task i's test samples (among its own classes) after merge t, minus at theta_i*;
  // nothing where it wasn't tested after merge t. Empty where the run's evaluations have no losses.
  std::vector<std::vector<std::optional<double>>> measured;
};

// Merges the run again as remerge_run() does, and throws as that; UsageError where a task has no
// Fisher. Every theta_hat is in memory at once.
Audit audit_of_run(const std::filesystem::path& run, int threads);

}  // namespace palimpsest
