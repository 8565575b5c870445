#include "palimpsest/continual/run.h"

#include <utility>

#include "palimpsest/continual/merge_on_root.h"
#include "palimpsest/continual/step_saver.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/data/past_tasks.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/train/class_statistics.h"
#include "palimpsest/train/features.h"
#include "palimpsest/train/fisher.h"
#include "palimpsest/train/head.h"
#include "palimpsest/train/head_alignment.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

// The model takes these weights: theta_hat_0 + difference.
void hold(OpenRun& run, const std::vector<float>& difference) {
  run.model->set_difference(difference);
}

// theta_t* = theta_hat_{t-1} + Delta_t.
std::vector<float> trained_weights(const OpenRun& run, const TrainedTask& trained) {
  std::vector<float> weights = run.state.merged;
  add_scaled(weights, 1, trained.task_vector);
  return weights;
}

// What the head of the next task begins with: a shared one goes on, others are fresh.
Head head_to_begin_with(const OpenRun& run) {
  const bool goes_on = shares_head(run.config.scenario) && run.state.tasks_done > 0;
  return goes_on ? heads_in(run.state.memory).back() : Head{};
}

TrainedTask train(OpenRun& run, const Task& task, TaskMetrics& metrics) {
  StepSaver saver(run);
  // Where an earlier start of this run has left the task, if it has.
  const std::optional<TaskProgress> start = std::exchange(run.progress, std::nullopt);
  TrainedTask trained = train_task(
      run.context(), task, start,
      [&](const TaskProgress& counters, const auto& snapshot) {
        saver.after_step(counters, snapshot);
      },
      head_to_begin_with(run), ewc_penalty_of_state(run.group, run.config.ewc, run.state));
  saver.finish();
  metrics.loss_first_step = trained.loss_first_step;
  metrics.loss_last_pass = trained.loss_last_pass;
  metrics.seconds_train = trained.seconds;
  run.events.tell(TaskTrained{static_cast<int>(task.index), trained.loss_first_step,
                              trained.loss_last_pass, trained.seconds});
  return trained;
}

// For the secant scale: L_t at the weights that the model holds, with the new head.
void measure_loss_before(OpenRun& run, const Task& task, const Head& head, TaskMetrics& metrics) {
  if (!needs_fisher(run.config) || run.fisher_scale != FisherScale::kSecant) return;
  metrics.loss_merged_before = mean_loss(run.context(), task, head);
}

// F_t at the weights that the model holds; nullopt where nothing needs it.
std::optional<Fisher> measure_fisher(OpenRun& run, const Task& task, const Head& head,
                                     TaskMetrics& metrics) {
  if (!needs_fisher(run.config)) return std::nullopt;
  const Stopwatch watch;
  Fisher fisher = measure_curvature(run.context(), task, head);
  metrics.loss_trained = fisher.loss;
  metrics.seconds_fisher = watch.seconds();
  return fisher;
}

// From theta_hat_{t-1} and Delta_t to theta_hat_t, on every rank.
MergeOutcome merge(OpenRun& run, const TrainedWeights& trained, std::optional<Fisher> fisher,
                   TaskMetrics& metrics) {
  const Stopwatch watch;
  const Watchdog::Phase phase(run.watchdog, "merging", 10);
  MergeOutcome outcome =
      merge_on_root(run.group, *run.rule, run.fisher_scale, run.model->layout(), run.state, trained,
                    std::move(fisher), metrics.loss_merged_before - metrics.loss_trained);
  metrics.seconds_merge = watch.seconds();
  if (run.is_root()) run.events.tell(outcome.event);
  return outcome;
}

// By how much the merge raised the task's loss, with the head as trained: predicted and measured
// (--error-budget). Sets the model's weights.
void measure_error_budget(OpenRun& run, const Task& task, const Head& head,
                          const std::vector<float>& trained, std::optional<double> predicted,
                          TaskMetrics& metrics) {
  if (!run.config.error_budget || run.config.adapter == "none") return;
  if (run.state.merged == trained) {
    metrics.rise_measured = 0;
  } else {
    if (!needs_fisher(run.config)) {
      hold(run, trained);
      metrics.loss_trained = mean_loss(run.context(), task, head);
    }
    hold(run, run.state.merged);
    metrics.rise_measured = mean_loss(run.context(), task, head) - metrics.loss_trained;
  }
  metrics.rise_predicted = predicted;
  run.events.tell(ErrorBudget{static_cast<int>(task.index), predicted, *metrics.rise_measured});
}

// The task's head trained again on the merged model's features (not in the paper).
void refit_head(OpenRun& run, const Task& task, const at::Tensor& features) {
  Head head = heads_in(run.state.memory).back();
  head = train_head(features, task.train.targets, std::ssize(task.classes),
                    settings_after_merge(run.config, task.train.size()), task.index,
                    run.config.head_refit_epochs, head,
                    [&](const NonfiniteStep& at) {
                      skip_step(run.context(), task, at, /*in_refit=*/true);
                    })
             .head;
  put_head(run.state.memory, task.index, std::move(head));
}

// All heads trained together on what is kept of every class: the new task's at theta_hat_t, the
// others' as they were after their own merges (not in the paper).
void align_heads(OpenRun& run, const Task& task, const at::Tensor& features) {
  NamedTensors& memory = run.state.memory;
  put_class_statistics(
      memory, task.index,
      class_statistics(to_host(features), task.train.targets, std::ssize(task.classes)));
  if (task.index == 0) return;  // trained on features of all classes seen
  put_heads(memory, aligned_heads(heads_in(memory), class_statistics_in(memory), run.config,
                                  task.index, run.model->device()));
}

// What the settings ask for after a merge; the model holds theta_hat_t.
void fit_heads(OpenRun& run, const Task& task) {
  if (!run.config.head_refit && !run.config.head_align) return;
  const at::Tensor features = cached_features(run.context(), task.train);
  if (run.config.head_refit) refit_head(run, task, features);
  if (run.config.head_align) align_heads(run, task, features);
  run.group.agree(heads_hash(heads_in(run.state.memory)), "hash of the heads after the merge",
                  "agreement after fitting the heads");
}

// Over all classes seen, with the weights that the model holds.
EvaluationRow evaluate_seen(OpenRun& run, const Task& task, bool after_merge,
                            TaskMetrics& metrics) {
  const Stopwatch watch;
  const std::vector<Head> heads = heads_in(run.state.memory);
  EvaluationRow row = evaluate(
      *run.model, run.reader(), run.seen(task), heads_in_use(run.config.scenario, heads),
      run.config.evaluation_batch, run.group, run.watchdog, run.stop, run.placement.make_graph);
  metrics.seconds_evaluate += watch.seconds();
  run.events.tell(Evaluated{.task = static_cast<int>(task.index),
                            .after_merge = after_merge,
                            .samples = row.samples,
                            .correct = row.correct,
                            .correct_given_task = row.correct_given_task,
                            .correct_top5 = row.correct_top5,
                            .correct_task = row.correct_task,
                            .loss_given_task = row.loss_given_task,
                            .seconds = watch.seconds()});
  return row;
}

// One file for the task, one for the state, then the manifest, by rank 0; the others wait.
void save(OpenRun& run, const Task& task, const TrainedTask& trained, const MergeOutcome& merged,
          const TaskMetrics& metrics) {
  const Watchdog::Phase phase(run.watchdog, "saving", 10);
  run.group.work("save on rank 0", [&] {
    if (!run.is_root()) return;
    const Stopwatch watch;
    run.state.accuracy.add_row(metrics.after_merge, metrics.before_merge);
    run.alphas.push_back(merged.event.alpha);
    run.state_content_sha256 = run.folder.commit(
        make_task_record(run.identity, task, trained, heads_in(run.state.memory).back(), merged,
                         metrics),
        make_state_record(run.identity, run.seen(task), run.model->layout(), run.state));
    run.events.tell(TaskSaved{static_cast<int>(task.index),
                              run.folder.task_file(task.index).string(), watch.seconds()});
  });
  run.stop.heed();
}

// Of all tasks before this one whose data is at hand.
std::int64_t steps_before(const OpenRun& run, const Task& task) {
  std::int64_t steps = 0;
  for (const Task& earlier : run.tasks()) {
    if (earlier.index >= task.index) break;
    if (!is_past(earlier)) steps += training_steps(run.config, earlier.index, earlier.train.size());
  }
  return steps;
}

// One task, from theta_hat_{t-1} to theta_hat_t.
void learn(OpenRun& run, const Task& task) {
  TaskMetrics metrics;
  hold(run, run.state.merged);
  const TrainedTask trained = train(run, task, metrics);
  put_head(run.state.memory, task.index, trained.head);

  hold(run, run.state.merged);
  measure_loss_before(run, task, trained.head, metrics);
  const std::vector<float> weights = trained_weights(run, trained);
  hold(run, weights);
  std::optional<Fisher> fisher = measure_fisher(run, task, trained.head, metrics);
  metrics.before_merge = evaluate_seen(run, task, false, metrics);

  const MergeOutcome merged =
      merge(run, {.task_vector = trained.task_vector, .weights = weights, .lora = trained.lora},
            std::move(fisher), metrics);
  measure_error_budget(run, task, trained.head, weights, merged.predicted_rise, metrics);
  hold(run, run.state.merged);
  fit_heads(run, task);
  metrics.after_merge = evaluate_seen(run, task, true, metrics);

  ++run.state.tasks_done;
  save(run, task, trained, merged, metrics);
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
      run.stop.check();
      before_task(task);
      events.tell(TaskStarted{.task = static_cast<int>(task.index),
                              .classes = task.classes,
                              .samples = task.train.size(),
                              .steps = training_steps(config, task.index, task.train.size()),
                              .steps_before = steps_before(run, task)});
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
