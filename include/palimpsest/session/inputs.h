#pragma once
// What a run reads, opened and checked against one another before anything is computed.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/config/run_config.h"
#include "palimpsest/data/image_transform.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/format/pretrained_weights.h"
#include "palimpsest/model/backbone.h"

namespace palimpsest {

// SHA-256 over the tasks' names, classes, samples and targets.
std::string hash_contents(std::span<const Task> tasks);

struct Inputs {
  Pack pack;
  std::optional<Pack> general = {};  // of --general: a text that belongs to no task
  std::vector<Task> tasks = {};  // of the protocol; in a continued run, after those learned before
  std::int64_t test_per_class = 0;  // of the protocol
  // Whether a task of the whole protocol, or learned before, has another score than exact match.
  bool has_task_score = false;
  std::shared_ptr<const PretrainedWeights> weights = {};  // of the backbone
  BackboneConfig backbone = {};
  BackboneChoice choice = {};     // what the settings say about it
  ImageTransform transform = {};  // of a pack of images
  std::string backbone_name = {}, backbone_sha256 = {};
  // hash_contents(tasks); and of what the backbone's files say besides the weights.
  std::string tasks_sha256 = {}, shape_sha256 = {};
  // What was taken otherwise than the backbone's files say it, or left aside.
  std::vector<std::string> remarks = {};
};

// Pack and backbone alone, without a protocol: no tasks. `targets`: of the adapter. Throws
// InputError when a file is wrong or the two don't fit.
Inputs open_pack_and_backbone(const RunConfig& config, std::span<const std::string> targets);

// Throws as that, and UsageError when more tasks are requested than there are.
Inputs open_inputs(const RunConfig& config, std::span<const std::string> targets);

}  // namespace palimpsest
