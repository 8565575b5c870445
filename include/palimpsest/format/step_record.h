#pragma once
// A task in the middle of its training, as a file: what the next step needs besides the state that
// the task began with. checkpoints_schema/step.md says the same as text.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

// A number for every trained parameter of a task: the parameters themselves, or a moment of theirs.
struct AdapterAndHead {
  std::vector<LoraFactors> lora;  // in layout order
  Head head;
  bool operator==(const AdapterAndHead&) const = default;
};

// The progress of one task's training.
struct TaskProgress {
  std::int64_t task = 0;
  std::int64_t steps_done = 0, steps = 0;
  std::int64_t updates = 0;  // of the optimizer: steps done without those skipped
  AdapterAndHead parameters, first_moment, second_moment;
  double loss_first_step = 0;
  double loss_sum_last_pass = 0;  // summed over the samples of the last pass so far
  std::int64_t samples_last_pass = 0;
  double seconds = 0;  // not hashed
  bool operator==(const TaskProgress&) const = default;
};

struct StepRecord {
  TaskProgress progress;
  std::string state_content_sha256;  // of the state that the task began with; "" for the first task
  std::string task_sha256;           // of the task's name, classes, samples and targets
  std::string backbone_sha256, backbone_shape_sha256, pack_content_sha256;
  std::string config;    // JSON, operational keys left out
  std::string numerics;  // JSON: what the bits depend on
  bool operator==(const StepRecord&) const = default;
};

// As write_task_record and read_task_record do for theirs (format/records.h).
std::string write_step_record(const std::filesystem::path& path, const StepRecord& record);
StepRecord read_step_record(const std::filesystem::path& path);

}  // namespace palimpsest
