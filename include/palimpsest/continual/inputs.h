#pragma once
// What a run reads, opened and checked against one another before anything is computed.
#include <string>
#include <vector>

#include "palimpsest/config/run_config.h"
#include "palimpsest/data/image_transform.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/checkpoint.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/train/lanes.h"

namespace palimpsest {

// SHA-256 over the tasks' names, classes, samples and targets.
std::string hash_of(std::span<const Task> tasks);

struct Inputs {
  Pack pack;
  std::vector<Task> tasks;  // of the protocol; in a continued run, behind those learned before
  std::int64_t test_per_class = 0;  // of the protocol
  Checkpoint weights;               // of the backbone
  BackboneConfig backbone;
  BackboneChoice choice;     // what the settings say about it
  ImageTransform transform;  // of a pack of images
  std::string backbone_name, backbone_sha256;
  // hash_of(tasks); and of what the backbone's files say besides the weights.
  std::string tasks_sha256, shape_sha256;
  // On what was taken otherwise than it stands in the backbone's files, or left aside.
  std::vector<std::string> remarks;
};

// Pack and backbone alone, without a protocol: no tasks. Throws InputError when a file is wrong or
// the two don't fit.
Inputs open_pack_and_backbone(const RunConfig& config);

// Throws as that, and UsageError when more tasks are asked for than there are.
Inputs open_inputs(const RunConfig& config);

// Whether anything rests on the tasks' Fishers: the merge rule, or the penalty.
bool needs_fisher(const RunConfig& config);

// Throws UsageError when there are fewer lanes than ranks.
Lanes lanes_of(const RunConfig& config, int world_size);

}  // namespace palimpsest
