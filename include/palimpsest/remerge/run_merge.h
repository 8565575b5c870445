#pragma once
// Merging the tasks of a recorded run again, and adapters that others have trained; what its merges
// cost, and how its task vectors lie to one another.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"
#include "palimpsest/remerge/remerge.h"

namespace palimpsest {

struct RemergeResult {
  MergedRecord record;  // complete except for heads and classes (add_heads)
  std::vector<MergedTask> tasks;
  std::string rule;      // RULE[:key=value,...]
  std::string own_rule;  // of the run: "closed-form, then average"; "" for adapters
  // Merges of the run that were done again, and gave the recorded hash: all that lie before the
  // last task that was merged, and that one too under the run's own rule.
  std::int64_t verified = 0;
  std::vector<std::string> remarks;
};

struct RunRequest {
  std::filesystem::path run;
  std::string rule = {};                 // "": the run's own
  std::vector<std::int64_t> tasks = {};  // from 0, ascending; empty: all
  std::optional<std::int64_t> removed = {};
  int threads = 1;
  // Called with every theta_hat of the new merge, in order.
  std::function<void(const std::vector<float>&)> on_merged = {};
};

// Throws UsageError: a task that the run hasn't, a rule that needs what the records lack. Throws
// InputError: a record is damaged, or a merge of the run, done again, has another hash than the
// record says.
RemergeResult remerge_run(const RunRequest& request);

// The heads and the shape of the backbone, from the run's newest state.
void add_heads(RemergeResult& result, const RunRequest& request);

struct AdapterRequest {
  std::vector<std::filesystem::path> adapters;   // folders
  std::vector<std::filesystem::path> curvature;  // empty, or a file for each adapter
  std::string rule;
  int threads = 1;
};

// Adapters all start from the pretrained base, so that a task vector is also where training ended.
// Throws InputError where they don't fit together: other modules or shapes, another base.
RemergeResult remerge_adapters(const AdapterRequest& request);

// The merge error budget over old tasks: by how much every merge of a run raised the loss of every
// task so far. Row t: after the merge of task t; t + 1 entries, of the tasks up to t.
struct Audit {
  std::vector<std::string> task_names = {};
  bool is_by_token = false;  // losses are means over tokens of completions
  // 1/2 (theta_hat_t - theta_i*)' F_i (theta_hat_t - theta_i*), the factor applied: nats per sample
  // of task i's training samples, as its quadratic has it; nothing where the task trained no
  // factor.
  std::vector<std::vector<std::optional<double>>> predicted;
  // Mean loss of task i's test samples (among its own classes) after merge t, minus at theta_i*;
  // nothing where it wasn't tested after merge t. Empty where the run's evaluations have no losses.
  std::vector<std::vector<std::optional<double>>> measured;
};

// Merges the run again as remerge_run() does, and throws as that; UsageError where a task with
// factors has no Fisher. Every theta_hat is in memory at once.
Audit audit_run(const std::filesystem::path& run, int threads);

// How much the task vectors of a run point the same way.
struct Cosines {
  std::vector<std::string> task_names = {};
  std::vector<double> norms;                // |Delta_t|, Frobenius
  std::vector<std::vector<double>> cosine;  // [tasks, tasks]; 0 where a task vector is zero
};

// <Delta_a, Delta_b> = sum over modules s_a s_b tr((B_b' B_a)(A_a A_b')): nothing of [out, in] is
// formed. Modules that only one of them has are zero in the other. Throws Error when a module has
// another shape.
double inner_product(const std::vector<LoraFactors>& a, const std::vector<LoraFactors>& b);

// Reads A and B of every task, and nothing else. Throws InputError as read_task_record().
Cosines task_vector_cosines(const std::filesystem::path& run, int threads);

}  // namespace palimpsest
