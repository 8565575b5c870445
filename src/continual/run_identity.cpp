#include "palimpsest/continual/run_identity.h"

#include <nlohmann/json.hpp>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

TaskRecord make_task_record(const RunIdentity& run, const Task& task, const TrainedTask& trained,
                            const Head& head, const MergeOutcome& merged,
                            const TaskMetrics& metrics) {
  return {.index = task.index,
          .name = task.name,
          .classes = task.classes,
          .train_samples = task.train.size(),
          .seed = run.seed,
          .backbone_name = run.backbone_name,
          .backbone_sha256 = run.backbone_sha256,
          .pack_content_sha256 = run.pack_content_sha256,
          .config = run.config,
          .lora = trained.lora,
          .head = head,
          .fisher = merged.fisher,
          .merge = merged.record,
          .metrics = metrics};
}

StateRecord make_state_record(const RunIdentity& run, std::span<const Task> tasks,
                              const AdaptedLayout& layout, const StreamState& state,
                              std::string_view fisher_scale) {
  const bool remembers = state.memory.size() > 0;
  StateRecord record{.tasks_done = state.tasks_done,
                     .layout = layout,
                     .merged = state.merged,
                     .fisher_kind = remembers ? kFisherKind : "",
                     .fisher_scale = remembers ? std::string(fisher_scale) : "",
                     .s0 = {state.memory.s0().begin(), state.memory.s0().end()},
                     .s1 = {state.memory.s1().begin(), state.memory.s1().end()},
                     .heads = state.heads,
                     .classes = {},
                     .accuracy = state.accuracy,
                     .backbone_sha256 = run.backbone_sha256,
                     .pack_content_sha256 = run.pack_content_sha256,
                     .config = run.config,
                     .numerics = run.numerics,
                     .backbone_shape_sha256 = run.backbone_shape_sha256};
  for (const Task& task : tasks) record.classes.push_back(task.classes);
  return record;
}

StreamState state_of(const StateRecord& record) {
  return {.tasks_done = record.tasks_done,
          .merged = record.merged,
          .heads = record.heads,
          .memory = CurvatureMemory(record.s0, record.s1),
          .accuracy = record.accuracy};
}

std::vector<std::string> numerics_differences(std::string_view recorded, std::string_view now) {
  const auto then = nlohmann::json::parse(recorded, nullptr, /*allow_exceptions=*/false);
  const auto here = nlohmann::json::parse(now);
  std::vector<std::string> differences;
  for (const auto& [key, value] : here.items()) {
    const nlohmann::json before = then.is_object() ? then.value(key, nlohmann::json()) : then;
    if (before != value)
      differences.push_back(concat(key, ": recorded ", before.dump(), ", now ", value.dump()));
  }
  return differences;
}

namespace {

std::string lines(const std::vector<std::string>& differences) {
  std::string text;
  for (const std::string& difference : differences) text += "\n  " + difference;
  return text;
}

void check_same(const RunConfig& config, std::string_view what, const std::string& recorded,
                const std::string& now) {
  if (recorded == now) return;
  throw InputError(concat("cannot go on from ", config.fork.empty() ? config.out : config.fork,
                          ": its ", what, " was ", recorded, ", now it is ", now));
}

// What state and step have in common.
template <typename Record>
void check_identity(const Record& record, const RunIdentity& run, const RunConfig& config) {
  const auto settings = config_differences(record.config, config);
  if (!settings.empty()) {
    throw UsageError(concat("cannot resume ", config.out,
                            ": settings that change its results differ:", lines(settings),
                            "\nresume with the recorded settings, or start a new run from its "
                            "state: --fork ",
                            config.out, " with an --out of its own"));
  }
  check_same(config, "backbone (SHA-256)", record.backbone_sha256, run.backbone_sha256);
  check_same(config, "pack (content hash)", record.pack_content_sha256, run.pack_content_sha256);
  const auto numerics = numerics_differences(record.numerics, run.numerics);
  if (!numerics.empty() && !config.allow_numerics_change) {
    throw UsageError(concat("cannot resume ", config.out,
                            " bit for bit: what its numbers rest on differs:", lines(numerics),
                            "\n--allow-numerics-change goes on all the same"));
  }
}

void check_shape(const StateRecord& record, const RunIdentity& run, const RunConfig& config) {
  if (record.backbone_shape_sha256.empty()) return;  // of an earlier version
  check_same(config, "backbone's shape, by its config.json (hash)", record.backbone_shape_sha256,
             run.backbone_shape_sha256);
}

void check_classes(const StateRecord& record, const RunConfig& config,
                   std::span<const Task> tasks) {
  const std::string& from = config.fork.empty() ? config.out : config.fork;
  if (record.classes.size() > tasks.size()) {
    throw UsageError(concat("cannot go on from ", from, ": it has learned ", record.classes.size(),
                            " tasks already, and the protocol or --tasks gives ", tasks.size()));
  }
  for (std::size_t t = 0; t < record.classes.size(); ++t) {
    if (record.classes[t] != tasks[t].classes) {
      throw InputError(concat("cannot go on from ", from, ": the classes of task ", t + 1,
                              " are others in ", config.protocol,
                              ": go on with the protocol that the run began with"));
    }
  }
}

}  // namespace

void check_resumable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                     std::span<const Task> tasks) {
  check_identity(record, run, config);
  check_shape(record, run, config);
  check_classes(record, config, tasks);
  const EvaluationRow& newest = record.accuracy.row(record.accuracy.tasks() - 1);
  for (std::size_t t = 0; t < record.classes.size(); ++t) {
    if (newest.samples[t] != tasks[t].test.size()) {
      throw InputError(concat("cannot resume ", config.out, ": task ", t + 1, " was tested on ",
                              newest.samples[t], " samples, the protocol has ",
                              tasks[t].test.size(),
                              ": resume with the protocol that the run began with"));
    }
  }
}

void check_resumable(const StepRecord& record, const RunIdentity& run, const RunConfig& config) {
  check_identity(record, run, config);
}

void check_forkable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                    const AdaptedLayout& layout, bool needs_memory, std::span<const Task> tasks) {
  check_same(config, "backbone (SHA-256)", record.backbone_sha256, run.backbone_sha256);
  check_shape(record, run, config);
  check_classes(record, config, tasks);
  if (!(record.layout == layout)) {
    throw UsageError(concat("cannot go on from ", config.fork,
                            ": it adapted other modules; keep its --lora-targets and --adapter"));
  }
  if (needs_memory && record.s0.empty()) {
    throw UsageError(concat("cannot go on from ", config.fork, " with --merge ", config.merge,
                            ": the rule needs the Fisher of the tasks before, and that run, whose "
                            "rule needed none, has not measured it"));
  }
}

}  // namespace palimpsest
