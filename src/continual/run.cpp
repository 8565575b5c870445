#include "palimpsest/continual/run.h"

#include <utility>

#include "palimpsest/classifier/head_alignment.h"
#include "palimpsest/continual/merge_on_root.h"
#include "palimpsest/continual/step_saver.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/curvature/curvature.h"
#include "palimpsest/data/past_tasks.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/head/class_statistics.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/train/head_training.h"
#include "palimpsest/train/task_passes.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

// What the head of the next task begins with: a shared one goes on, others are fresh.
Head first_head(const RunConfig& config, const StreamState& state) {
  return shares_head(config.scenario) && !state.heads.empty() ? state.heads.back() : Head{};
}

// Stage 1: from theta_hat_{t-1} to Delta_t and the task's head.
TrainedTask train(OpenRun& run, TaskPasses& passes) {
  Session& session = run.session;
  const TaskBeginning begin{.weights = run.state.merged,
                            .head = first_head(session.config, run.state),
                            .penalty = next_penalty(session.group, *run.method.penalty, run.state),
                            .progress = std::exchange(run.progress, std::nullopt)};
  StepSaver saver(run);
  const auto after_step = [&](const TaskProgress& counters, const auto& snapshot) {
    saver.after_step(counters, snapshot);
  };
  const TrainingParts& parts = run.method.training;
  TrainedTask trained = parts.adapter->learns(passes.task().index).any()
                            ? train_task(session, passes.task(), parts, begin, after_step)
                            : train_on_features(passes, parts, begin);
  saver.finish();
  session.events.tell(TaskTrained{static_cast<int>(passes.task().index), trained.loss_first_step,
                                  trained.loss_last_pass, trained.seconds});
  return trained;
}

// What the merge rests on: losses and curvature at theta_hat_{t-1} and theta_t*.
TaskMeasurements measure(const Method& method, TaskPasses& passes, const AdaptedWeights& merged,
                         const TrainedTask& trained) {
  std::vector<float> weights = *merged;
  add_scaled(weights, 1, trained.task_vector);
  TaskMeasurements measured{.weights = make_weights(std::move(weights)), .fisher = {}};
  if (!method.needs_curvature()) return measured;
  if (method.curvature->scale() == FisherScale::kSecant)
    measured.loss_merged_before = passes.loss(merged, trained.head);
  const Stopwatch watch;
  measured.fisher = passes.curvature(measured.weights, trained.head, *method.curvature);
  measured.loss_trained = measured.fisher->loss;
  measured.seconds_fisher = watch.seconds();
  return measured;
}

// The heads after the merge, fitted to theta_hat_t if the settings ask for it (not in the paper).
std::vector<Head> fitted_heads(TaskPasses& passes, StreamState& state) {
  Session& session = passes.session();
  const RunConfig& config = session.config;
  const Task& task = passes.task();
  std::vector<Head> heads = state.heads;
  if (!config.head_refit && !config.head_align) return heads;
  const at::Tensor& features = passes.features(state.merged);
  if (config.head_refit) {
    heads.back() =
        train_head(
            features, task.train.targets, std::ssize(task.classes), task.index, heads.back(),
            place(heads.back(), session.device()).kind, passes.objective(),
            settings_after_merge(config, task.train.size(), config.head_refit_epochs),
            [&](const NonfiniteStep& at) { skip_step(session, task, at, StepOf::kHeadAfterMerge); })
            .head;
  }
  if (config.head_align) {
    // The new task's at theta_hat_t, the others' as they were after their own merges.
    state.class_statistics.push_back(
        class_statistics(to_host(features), task.train.targets, std::ssize(task.classes)));
    if (heads.size() > 1) {
      heads = aligned_heads(heads, state.class_statistics, config, config.head_align_epochs,
                            task.index, passes.objective(), session.device());
    }
  }
  session.group.agree(heads_hash(heads), "hash of the heads after the merge",
                      "agreement after fitting the heads");
  return heads;
}

// By how much the merge raised the task's loss, with the head as trained (--error-budget).
struct MergeCost {
  double loss_trained = 0;
  std::optional<double> rise_predicted, rise_measured;
};

MergeCost measure_cost(TaskPasses& passes, const TaskMeasurements& measured,
                       const MergeOutcome& merged, const TrainedTask& trained) {
  Session& session = passes.session();
  MergeCost cost{.loss_trained = measured.loss_trained, .rise_predicted = {}, .rise_measured = {}};
  if (!session.config.error_budget || trained.lora.empty()) return cost;
  cost.rise_predicted = merged.predicted_rise;
  if (*merged.weights == *measured.weights) {
    cost.rise_measured = 0;
  } else {
    cost.loss_trained = passes.loss(measured.weights, trained.head);
    cost.rise_measured = passes.loss(merged.weights, trained.head) - cost.loss_trained;
  }
  session.events.tell(
      ErrorBudget{static_cast<int>(passes.task().index), cost.rise_predicted, *cost.rise_measured});
  return cost;
}

struct TimedRow {
  EvaluationRow row;
  double seconds = 0;
};

// Over all classes seen.
TimedRow evaluate_seen(OpenRun& run, const Task& task, const AdaptedWeights& weights,
                       bool after_merge) {
  const Stopwatch watch;
  Session& session = run.session;
  EvaluationRow row = evaluate(session, weights, run.seen(task),
                               heads_in_use(session.config.scenario, run.state.heads));
  const double seconds = watch.seconds();
  session.events.tell(Evaluated{.task = static_cast<int>(task.index),
                                .after_merge = after_merge,
                                .row = row,
                                .seconds = seconds});
  return {std::move(row), seconds};
}

// One file for the task, one for the state, then the manifest, by rank 0; the others wait.
void save(OpenRun& run, const Task& task, const TrainedTask& trained, const MergeOutcome& merged,
          const TaskMetrics& metrics) {
  Session& session = run.session;
  const Watchdog::Phase phase(session.watchdog, "saving", 10);
  session.group.work("save on rank 0", [&] {
    if (!session.is_root()) return;
    const Stopwatch watch;
    run.state.accuracy.add_row(metrics.after_merge, metrics.before_merge);
    run.alphas.push_back(merged.event.alpha);
    run.state_content_sha256 = run.folder.commit(
        make_task_record(run.identity, task, trained, run.state.heads.back(), merged, metrics),
        make_state_record(run.identity, run.seen(task), session.model->layout(), run.state,
                          session.config));
    session.events.tell(TaskSaved{static_cast<int>(task.index),
                                  run.folder.task_file(task.index).string(), watch.seconds()});
  });
  session.stop.heed();
}

// One task, from theta_hat_{t-1} to theta_hat_t.
void learn(OpenRun& run, const Task& task) {
  StreamState& state = run.state;
  const Method& method = run.method;
  TaskPasses passes(run.session, task, *method.training.objective);
  const TrainedTask trained = train(run, passes);
  state.heads.push_back(trained.head);
  TaskMeasurements measured = measure(method, passes, state.merged, trained);
  TimedRow before = evaluate_seen(run, task, measured.weights, /*after_merge=*/false);

  const MergeOutcome merged = merge_on_root(run.session, method, state, trained, measured,
                                            std::exchange(measured.fisher, std::nullopt));
  if (run.session.is_root()) run.session.events.tell(merged.event);
  state.merged = merged.weights;
  state.merged_hash = merged.weights_hash;
  state.heads = fitted_heads(passes, state);
  const MergeCost cost = measure_cost(passes, measured, merged, trained);
  TimedRow after = evaluate_seen(run, task, state.merged, /*after_merge=*/true);

  ++state.tasks_done;
  save(run, task, trained, merged,
       {.before_merge = std::move(before.row),
        .after_merge = std::move(after.row),
        .loss_first_step = trained.loss_first_step,
        .loss_last_pass = trained.loss_last_pass,
        .loss_merged_before = measured.loss_merged_before,
        .loss_trained = cost.loss_trained,
        .rise_predicted = cost.rise_predicted,
        .rise_measured = cost.rise_measured,
        .seconds_train = trained.seconds,
        .seconds_fisher = measured.seconds_fisher,
        .seconds_merge = merged.seconds,
        .seconds_evaluate = before.seconds + after.seconds});
}

TaskStarted started(const OpenRun& run, const Task& task) {
  const auto steps_of = [&](const Task& other) {
    return training_steps(batch_settings(run.session.config), other.index, other.train.size());
  };
  std::int64_t before = 0;  // of earlier tasks whose data is at hand
  for (const Task& earlier : run.seen(task).first(static_cast<std::size_t>(task.index)))
    if (!is_past(earlier)) before += steps_of(earlier);
  return {.task = static_cast<int>(task.index),
          .classes = task.classes,
          .samples = task.train.size(),
          .steps = steps_of(task),
          .steps_before = before};
}

}  // namespace

RunResult run_stream(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                     const RunEvents& events, const FolderReady& folder_ready,
                     const BeforeTask& before_task) {
  const Stopwatch watch;
  OpenRun run = open_run(config, group, watchdog, events, folder_ready);
  RunResult result;
  try {
    for (const Task& task : run.remaining()) {
      run.session.stop.check();
      before_task(task);
      events.tell(started(run, task));
      learn(run, task);
    }
    events.tell(RunFinished{watch.seconds()});
  } catch (const Stopped&) {
    result.stopped = true;
    result.stopped_at = watchdog.position();
  }
  result.accuracy = std::move(run.state.accuracy);
  result.alphas = std::move(run.alphas);
  return result;
}

}  // namespace palimpsest
