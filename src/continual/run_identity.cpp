#include "palimpsest/continual/run_identity.h"

#include <nlohmann/json.hpp>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/curvature/curvature.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/session/inputs.h"

namespace palimpsest {

TaskRecord make_task_record(const RunIdentity& run, const Task& task, TrainedTask trained,
                            MergeOutcome merged, TaskMetrics metrics) {
  return {.index = task.index,
          .name = task.name,
          .classes = task.classes,
          .train_samples = task.train.size(),
          .seed = run.seed,
          .backbone_name = run.backbone_name,
          .backbone_sha256 = run.backbone_sha256,
          .pack_content_sha256 = run.pack_content_sha256,
          .config = run.config,
          .lora = std::move(trained.lora),
          .head = std::move(trained.head),
          .fisher = std::move(merged.fisher),
          .merge = std::move(merged.record),
          .metrics = std::move(metrics)};
}

StateRecord make_state_record(const RunIdentity& run, std::span<const Task> tasks,
                              const AdaptedLayout& layout, const StreamState& state) {
  StateRecord record{.tasks_done = state.tasks_done,
                     .layout = layout,
                     .merged = {},
                     .memory = state.memory,
                     .classes = {},
                     .accuracy = state.accuracy,
                     .backbone_sha256 = run.backbone_sha256,
                     .pack_content_sha256 = run.pack_content_sha256,
                     .config = run.config,
                     .numerics = run.numerics,
                     .backbone_shape_sha256 = run.backbone_shape_sha256,
                     .others = state.others};
  for (const Task& task : tasks) {
    record.classes.push_back(task.classes);
    for (std::int64_t c = 0; has_task_score(tasks) && c < std::ssize(task.classes); ++c)
      record.class_scores.push_back(static_cast<std::uint8_t>(task.score(c)));
  }
  return record;
}

StreamState to_stream_state(StateRecord record) {
  return {.tasks_done = record.tasks_done,
          .merged = make_weights(std::move(record.merged)),
          .memory = std::move(record.memory),
          .accuracy = std::move(record.accuracy),
          .others = std::move(record.others)};
}

namespace {

// "name: recorded X, now Y" for each difference between two objects of RunIdentity::numerics.
std::vector<std::string> numerics_differences(std::string_view recorded, std::string_view now) {
  const auto then = nlohmann::json::parse(recorded, nullptr, /*allow_exceptions=*/false);
  const auto current = nlohmann::json::parse(now);
  std::vector<std::string> differences;
  for (const auto& [key, value] : current.items()) {
    const nlohmann::json before = then.is_object() ? then.value(key, nlohmann::json()) : then;
    if (before != value)
      differences.push_back(concat(key, ": recorded ", before.dump(), ", now ", value.dump()));
  }
  return differences;
}

std::string lines(const std::vector<std::string>& differences) {
  std::string text;
  for (const std::string& difference : differences) text += "\n  " + difference;
  return text;
}

// `from`: the run or state that is continued from.
void check_same(const std::string& from, std::string_view what, const std::string& recorded,
                const std::string& now) {
  if (recorded == now) return;
  throw InputError(
      concat("cannot resume from ", from, ": its ", what, " was ", recorded, ", now it is ", now));
}

// What state and step have in common.
template <typename Record>
void check_identity(const Record& record, const RunIdentity& run, const RunConfig& config) {
  const auto settings = config_differences(all_settings(), record.config, config);
  if (!settings.empty()) {
    throw UsageError(concat(
        "cannot resume ", config.out, ": settings that change its results differ:", lines(settings),
        "\nResume with the recorded settings, or start a new run from a finished task: --fork ",
        config.out, " with its own --out"));
  }
  check_same(config.out, "backbone (SHA-256)", record.backbone_sha256, run.backbone_sha256);
  check_same(config.out, "pack (content hash)", record.pack_content_sha256,
             run.pack_content_sha256);
  const auto numerics = numerics_differences(record.numerics, run.numerics);
  if (!numerics.empty() && !config.allow_numerics_change) {
    throw UsageError(concat("cannot resume ", config.out,
                            " bit for bit: what its numbers depend on differs:", lines(numerics),
                            "\n--allow-numerics-change resumes anyway"));
  }
}

template <typename Record>
void check_shape(const std::string& from, const Record& record, const RunIdentity& run) {
  if (record.backbone_shape_sha256.empty()) return;  // a state of an earlier version
  check_same(from, "backbone's shape, by its config.json (hash)", record.backbone_shape_sha256,
             run.backbone_shape_sha256);
}

// Of prompts with completions: each task keeps its score, and the stream its primary one.
void check_scores(const std::string& from, const StateRecord& record, const RunIdentity& run,
                  const RunConfig& config, std::span<const Task> tasks) {
  const std::string& recorded = record.accuracy.row(0).scores.front().name;
  if (!score_info(recorded).of_completions) return;
  const std::string_view now = run.has_task_score ? kTaskScoreName : kExactMatchName;
  if (recorded != now) {
    throw InputError(
        concat("cannot resume from ", from, ": its primary score is ", recorded, ", and with ",
               config.protocol, " it would be ", now, ": let that score ",
               run.has_task_score ? "every task by exact-match" : "a task by rouge-l or choice"));
  }
  std::size_t place = 0;
  for (std::size_t t = 0; t < record.classes.size(); ++t) {
    for (std::size_t c = 0; c < record.classes[t].size(); ++c, ++place) {
      const auto then =
          static_cast<AnswerScore>(record.class_scores.empty() ? 0 : record.class_scores[place]);
      if (tasks[t].is_past() || tasks[t].score(static_cast<std::int64_t>(c)) == then) continue;
      throw InputError(concat("cannot resume from ", from, ": task ", t + 1, " was scored by ",
                              name(then), ", and ", config.protocol,
                              " says otherwise: use the protocol that the run began with"));
    }
  }
}

void check_classes(const std::string& from, const StateRecord& record, const RunConfig& config,
                   std::span<const Task> tasks) {
  if (record.classes.size() > tasks.size()) {
    throw UsageError(concat("cannot resume from ", from, ": it has learned ", record.classes.size(),
                            " tasks already, and the protocol or --tasks gives ", tasks.size()));
  }
  for (std::size_t t = 0; t < record.classes.size(); ++t) {
    if (record.classes[t] != tasks[t].classes) {
      throw InputError(concat("cannot resume from ", from, ": the classes of task ", t + 1,
                              " are others in ", config.protocol,
                              ": use the protocol that the run began with"));
    }
    const std::int64_t tested = record.accuracy.row(t).samples[t];
    if (!tasks[t].is_past() && tested != tasks[t].test.size()) {
      throw InputError(concat("cannot resume from ", from, ": task ", t + 1, " was tested on ",
                              tested, " samples, ", config.protocol, " has ", tasks[t].test.size(),
                              ": use the protocol that the run began with"));
    }
  }
}

}  // namespace

void check_resumable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                     std::span<const Task> tasks) {
  check_identity(record, run, config);
  check_shape(config.out, record, run);
  check_classes(config.out, record, config, tasks);
  check_scores(config.out, record, run, config, tasks);
}

void check_resumable(const StepRecord& record, const RunIdentity& run, const RunConfig& config,
                     std::span<const Task> tasks) {
  check_identity(record, run, config);
  check_shape(config.out, record, run);
  const auto task = static_cast<std::size_t>(record.progress.task);
  if (task < tasks.size() && hash_contents(tasks.subspan(task, 1)) == record.task_sha256) return;
  throw InputError(concat("cannot resume from ", config.out, ": classes or samples of task ",
                          task + 1, ", which has begun, are others in ", config.protocol,
                          ": use the protocol that the run began with"));
}

const std::string& origin_path(const RunConfig& config) {
  return config.fork.empty() ? config.continue_from : config.fork;
}

void check_forkable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                    const AdaptedLayout& layout, std::span<const Task> tasks) {
  const std::string& from = origin_path(config);
  check_same(from, "backbone (SHA-256)", record.backbone_sha256, run.backbone_sha256);
  check_shape(from, record, run);
  check_classes(from, record, config, tasks);
  check_scores(from, record, run, config, tasks);
  if (!(record.layout == layout)) {
    throw UsageError(concat("cannot resume from ", from,
                            ": it adapted other modules; keep its --adapter, with its targets"));
  }
}

}  // namespace palimpsest
