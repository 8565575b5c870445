#include "palimpsest/continual/run.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "palimpsest/config/key_table.h"
#include "palimpsest/continual/inputs.h"
#include "palimpsest/continual/merge_on_root.h"
#include "palimpsest/continual/run_identity.h"
#include "palimpsest/continual/state.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/train/features.h"
#include "palimpsest/train/head.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string run_json(const RunConfig& config, const RunIdentity& run, int world_size) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return nlohmann::ordered_json{
      {"palimpsest_type", "run"},
      {"palimpsest_version", "1.0.0"},
      {"writer", "palimpsest " PALIMPSEST_VERSION},
      {"source_revision", PALIMPSEST_SOURCE_REVISION},
      {"started", std::time(nullptr)},
      {"host", host.data()},
      {"world_size", world_size},
      {"numerics", nlohmann::json::parse(run.numerics)},
      {"backbone_sha256", run.backbone_sha256},
      {"pack_content_sha256", run.pack_content_sha256},
      {"config", nlohmann::ordered_json::parse(config_json(config, true))}}
      .dump(2);
}

// On rank 0: the state to go on from, with the folder made or its logs cut.
StreamState open_folder(const RunFolder& folder, const RunConfig& config, const RunIdentity& run,
                        std::span<const Task> tasks, StreamState fresh, int world_size) {
  if (config.resume == "auto") {
    if (const std::optional<NewestState> newest = folder.newest_state()) {
      if (!newest->remark.empty()) std::fprintf(stderr, "palimpsest: %s\n", newest->remark.c_str());
      check_resumable(newest->record, run, config, tasks);
      return state_of(newest->record);
    }
    folder.restart(run_json(config, run, world_size));
  } else {
    folder.create(run_json(config, run, world_size));
  }
  return fresh;
}

std::int64_t trained_parameters(const Bert& model, const RunConfig& config, const Task& task) {
  std::int64_t count = std::ssize(task.classes) * (model.feature_size() + 1);
  if (config.adapter == "none") return count;
  for (const AdaptedModule& module : model.layout().modules())
    count += config.lora_rank * (module.out + module.in);
  return count;
}

Evaluated evaluated(std::int64_t task, bool after_merge, const EvaluationRow& row, double seconds) {
  return {.task = static_cast<int>(task),
          .after_merge = after_merge,
          .samples = row.samples,
          .correct = row.correct,
          .correct_given_task = row.correct_given_task,
          .seconds = seconds};
}

}  // namespace

RunResult run_stream(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                     const RunEvents& events, const FolderReady& folder_ready) {
  const Clock::time_point run_start = Clock::now();
  const bool root = group.rank() == 0;
  configure_processor(static_cast<int>(config.threads));
  const Inputs inputs = open_inputs(config);
  const Placement placement = make_placement(config.device, group, watchdog);
  Bert model(SafetensorsFile(std::filesystem::path(config.backbone) / "model.safetensors"),
             inputs.backbone, config.lora_targets, placement.device);
  const AdaptedLayout& layout = model.layout();
  const std::unique_ptr<MergeRule> rule = make_merge_rule(config.merge);
  const FisherScale fisher_scale = parse_fisher_scale(config.fisher_scale);
  const TrainingContext context{config, lanes_of(config, group.size()), inputs.pack, model,
                                group,  *placement.collectives,         watchdog,    events};

  const RunIdentity run{
      .backbone_name = inputs.backbone_name,
      .backbone_sha256 = inputs.backbone_sha256,
      .pack_content_sha256 = inputs.pack.content_sha256(),
      .config = config_json(config, false),
      .numerics = numerics_fingerprint(placement, static_cast<int>(config.threads)),
      .seed = config.seed};
  group.agree(concat(run.config, run.backbone_sha256, run.pack_content_sha256),
              "settings, backbone and pack", "agreement at the start");
  group.agree(run.numerics, "library versions, instruction set and threads",
              "agreement at the start");

  const RunFolder folder(config.out);
  StreamState state = initial_state(layout, root && rule->needs_fisher());
  if (root) {
    state = open_folder(folder, config, run, inputs.tasks, std::move(state), group.size());
    folder_ready(folder.path());
  }
  broadcast_state(group, state);
  std::vector<double> alphas;
  if (root) {
    for (std::int64_t t = 0; t < state.tasks_done; ++t)
      alphas.push_back(folder.task(t).merge.coefficients.front());
  }
  events.tell(
      RunStarted{.folder = config.out,
                 .tasks = static_cast<int>(inputs.tasks.size()),
                 .world_size = group.size(),
                 .lanes = static_cast<int>(context.lanes.count),
                 .device = placement.description,
                 .pack_content_sha256 = inputs.pack.content_sha256(),
                 .backbone_sha256 = inputs.backbone_sha256,
                 .adapted_weights = layout.size(),
                 .trained_parameters = trained_parameters(model, config, inputs.tasks.front()),
                 .resumed_after_task = static_cast<int>(state.tasks_done) - 1});

  const auto tasks_seen = [&](const Task& task) {
    return std::span<const Task>(inputs.tasks).first(static_cast<std::size_t>(task.index) + 1);
  };
  const auto timed_evaluation = [&](const Task& task, bool after_merge) {
    const Clock::time_point start = Clock::now();
    EvaluationRow row = evaluate(model, inputs.pack, tasks_seen(task), state.heads,
                                 config.evaluation_batch, group, watchdog);
    events.tell(evaluated(task.index, after_merge, row, seconds_since(start)));
    return row;
  };

  for (const Task& task :
       std::span(inputs.tasks).subspan(static_cast<std::size_t>(state.tasks_done))) {
    events.tell(TaskStarted{.task = static_cast<int>(task.index),
                            .classes = task.classes,
                            .samples = task.train.size(),
                            .steps = training_steps(config, task.train.size())});
    TaskMetrics metrics;

    // Train from the merged model: theta_t* = theta_hat_{t-1} + Delta_t.
    model.set_difference(state.merged);
    const TrainedTask trained = train_task(context, task);
    events.tell(TaskTrained{static_cast<int>(task.index), trained.loss_first_step,
                            trained.loss_last_pass, trained.seconds});

    // Curvature at theta_t*, and how far the loss has come down along Delta_t.
    const Clock::time_point fisher_start = Clock::now();
    if (fisher_scale == FisherScale::kSecant && rule->needs_fisher()) {
      model.set_difference(state.merged);
      metrics.loss_merged_before = mean_loss(context, task, trained.head);
    }
    std::vector<float> trained_weights = state.merged;
    add_scaled(trained_weights, 1, trained.task_vector);
    model.set_difference(trained_weights);
    std::optional<Fisher> fisher;
    if (rule->needs_fisher()) {
      fisher = empirical_fisher(context, task, trained.head);
      metrics.loss_trained = fisher->loss;
    }
    metrics.seconds_fisher = seconds_since(fisher_start);
    state.heads.push_back(trained.head);
    metrics.before_merge = timed_evaluation(task, false);

    // theta_hat_t = theta_hat_{t-1} + alpha_t Delta_t.
    const Clock::time_point merge_start = Clock::now();
    MergeOutcome merged = merge_on_root(group, *rule, fisher_scale, config.fisher_scale, layout,
                                        state, trained.task_vector, std::move(fisher),
                                        metrics.loss_merged_before - metrics.loss_trained);
    model.set_difference(state.merged);
    metrics.seconds_merge = seconds_since(merge_start);
    if (config.head_refit) {
      state.heads.back() = train_head(cached_features(context, task.train), task.train.targets,
                                      std::ssize(task.classes), config, task.index,
                                      config.head_refit_epochs, trained.head)
                               .head;
    }
    if (root) events.tell(merged.event);
    metrics.after_merge = timed_evaluation(task, true);
    ++state.tasks_done;

    // Record: one file for the task, one for the state, then the manifest.
    if (root) {
      const Clock::time_point save_start = Clock::now();
      const Watchdog::Phase phase(watchdog, "saving", 10);
      metrics.loss_first_step = trained.loss_first_step;
      metrics.loss_last_pass = trained.loss_last_pass;
      metrics.seconds_train = trained.seconds;
      state.accuracy.add_row(metrics.after_merge, metrics.before_merge);
      alphas.push_back(merged.record.coefficients.front());
      folder.commit(make_task_record(run, task, trained, state.heads.back(), merged, metrics),
                    make_state_record(run, tasks_seen(task), layout, state, config.fisher_scale));
      events.tell(TaskSaved{static_cast<int>(task.index), folder.task_file(task.index).string(),
                            seconds_since(save_start)});
    }
    group.barrier("waiting for the save on rank 0");
  }
  events.tell(RunFinished{seconds_since(run_start)});
  return {.accuracy = std::move(state.accuracy), .alphas = std::move(alphas)};
}

}  // namespace palimpsest
