#pragma once
// Merging the tasks of a recorded run again, and adapters that others have trained.
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
  MergedRecord record;  // complete but for heads and classes (add_heads)
  std::vector<MergedTask> tasks;
  std::string rule;      // RULE[:key=value,...]
  std::string own_rule;  // of the run; "" for adapters
  // Merges of the run that were done again, and gave the recorded hash: all that lie before the
  // last task that was merged, and that one too under the run's own rule.
  std::int64_t verified = 0;
  std::vector<std::string> remarks;
};

struct RunRequest {
  std::filesystem::path run;
  std::string rule;                      // "": the run's own
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

}  // namespace palimpsest
