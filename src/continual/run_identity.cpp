#include "palimpsest/continual/run_identity.h"

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
                     .numerics = run.numerics};
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

void check_resumable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                     std::span<const Task> tasks) {
  std::string differences;
  for (const std::string& difference : config_differences(record.config, config))
    differences += "\n  " + difference;
  if (!differences.empty()) {
    throw UsageError(concat(
        "cannot resume ", config.out, ": settings that change its results differ:", differences,
        "\nresume with the recorded settings, or give a new run its own --out"));
  }
  const auto same = [&](std::string_view what, const std::string& recorded,
                        const std::string& now) {
    if (recorded != now) {
      throw InputError(concat("cannot resume ", config.out, ": its ", what, " was ", recorded,
                              ", now it is ", now));
    }
  };
  same("backbone (SHA-256)", record.backbone_sha256, run.backbone_sha256);
  same("pack (content hash)", record.pack_content_sha256, run.pack_content_sha256);
  if (record.classes.size() > tasks.size()) {
    throw UsageError(concat("cannot resume ", config.out, ": it has learned ",
                            record.classes.size(),
                            " tasks already, and the protocol or --tasks gives ", tasks.size()));
  }
  const EvaluationRow& newest = record.accuracy.row(record.accuracy.tasks() - 1);
  for (std::size_t t = 0; t < record.classes.size(); ++t) {
    if (newest.samples[t] != tasks[t].test.size()) {
      throw InputError(concat("cannot resume ", config.out, ": task ", t + 1, " was tested on ",
                              newest.samples[t], " samples, the protocol has ",
                              tasks[t].test.size(),
                              ": resume with the protocol that the run began with"));
    }
    if (record.classes[t] != tasks[t].classes) {
      throw InputError(concat("cannot resume ", config.out, ": the classes of task ", t + 1,
                              " are others in ", config.protocol,
                              ": resume with the protocol that the run began with"));
    }
  }
  if (record.numerics != run.numerics && !config.allow_numerics_change) {
    throw UsageError(concat("cannot resume ", config.out, " bit for bit: it was computed with ",
                            record.numerics, ", this is ", run.numerics,
                            "; --allow-numerics-change goes on all the same"));
  }
}

}  // namespace palimpsest
