#pragma once
// Merged weights outside of a run: what palimpsest-merge writes and `palimpsest eval` reads. Also
// in checkpoints_schema/merged.md.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

struct MergedRecord {
  AdaptedLayout layout;
  std::vector<float> weights;  // theta_hat - theta_hat_0, flat
  std::string rule;            // as JSON, as in MergeRecord
  std::string sources;         // JSON: what was merged (run, tasks, content hashes; or adapters)
  // In plain words, what is to be known before a number is read off it ("later tasks were trained
  // on top of another merge"); "" for the run's own rule over its first tasks.
  std::string post_hoc;
  // Of the tasks merged, in order; empty where adapters brought none.
  std::vector<std::string> task_names;
  std::vector<std::vector<std::string>> classes;
  std::vector<Head> heads;
  std::string backbone_sha256, backbone_shape_sha256, pack_content_sha256;
  std::string config;  // JSON, of the run; "" for adapters
  bool operator==(const MergedRecord&) const = default;
};

// As write_task_record() and read_task_record() (records.h).
std::string write_merged_record(const std::filesystem::path& path, const MergedRecord& record);
MergedRecord read_merged_record(const std::filesystem::path& path);

}  // namespace palimpsest
