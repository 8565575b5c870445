#include "palimpsest/continual/run.h"

#include <utility>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/continual/merge_on_root.h"
#include "palimpsest/continual/step_saver.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/curvature/curvature.h"
#include "palimpsest/data/past_tasks.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/train/task_passes.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

// What the head of the next task begins with: a shared one keeps its weights, others are fresh.
Head first_head(bool is_shared, const StreamState& state) {
  return is_shared && state.tasks_done > 0 ? heads_in(state.memory).back() : Head{};
}

// Stage 1: from theta_hat_{t-1} to Delta_t and the task's head. `saver`: of its steps, or null.
TrainedTask train(OpenRun& run, TaskPasses& passes, StepSaver* saver) {
  Session& session = run.session;
  const TaskBeginning begin{.weights = run.state.merged,
                            .head = first_head(shares_head(session.config.scenario), run.state),
                            .penalty = next_penalty(session.group, *run.method.penalty,
                                                    run.method.curvature->instance(), run.state),
                            .progress = std::exchange(run.progress, std::nullopt)};
  const auto after_step = [&](const TaskProgress& counters, const auto& snapshot) {
    if (saver != nullptr) saver->after_step(counters, snapshot);
  };
  const TrainingParts& parts = run.method.training;
  TrainedTask trained = parts.adapter->learns(passes.task().index).any()
                            ? train_task(session, passes.task(), parts, begin, after_step)
                            : train_on_features(passes, parts, begin);
  if (saver != nullptr) saver->finish();
  session.events.publish(TaskTrained{static_cast<int>(passes.task().index), trained.loss_first_step,
                                     trained.loss_last_pass, trained.seconds});
  return trained;
}

// theta_t*. Weights that didn't change stay the same object, at which nothing is measured twice.
AdaptedWeights trained_weights(const AdaptedWeights& merged, const TrainedTask& trained) {
  if (trained.lora.empty()) return merged;
  std::vector<float> weights = *merged;
  add_scaled(weights, 1, trained.task_vector);
  return make_weights(std::move(weights));
}

// What the merge needs: losses and curvature at theta_hat_{t-1} and theta_t*.
TaskMeasurements measure(const Method& method, TaskPasses& passes, const AdaptedWeights& merged,
                         const TrainedTask& trained) {
  TaskMeasurements measured{.weights = trained_weights(merged, trained), .fisher = {}};
  if (!method.needs_curvature()) return measured;
  if (method.curvature->needs_loss_before())
    measured.loss_merged_before = passes.loss(merged, trained.head);
  const Stopwatch watch;
  measured.fisher = passes.curvature(measured.weights, trained.head, *method.curvature);
  measured.loss_trained = measured.fisher->loss;
  measured.seconds_fisher = watch.seconds();
  return measured;
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
  session.events.publish(
      ErrorBudget{static_cast<int>(passes.task().index), cost.rise_predicted, *cost.rise_measured});
  return cost;
}

struct TimedRow {
  EvaluationRow row;
  double seconds = 0;
};

// Over all classes seen.
TimedRow evaluate_seen(OpenRun& run, const Task& task, const AdaptedWeights& weights,
                       const ClassScores& scores, bool after_merge) {
  const Stopwatch watch;
  EvaluationRow row = evaluate(run.session, weights, run.seen(task), scores);
  const double seconds = watch.seconds();
  run.session.events.publish(Evaluated{.task = static_cast<int>(task.index),
                                       .after_merge = after_merge,
                                       .row = row,
                                       .seconds = seconds});
  return {std::move(row), seconds};
}

// One file for the task, one for the state, then the manifest, by rank 0; the others wait.
void save(OpenRun& run, const Task& task, const LearnedTask& learned) {
  const auto& [trained, merged, metrics] = learned;
  Session& session = run.session;
  const Watchdog::Phase phase(session.watchdog, "saving", 10);
  session.group.work("save on rank 0", [&] {
    if (!session.is_root()) return;
    const Stopwatch watch;
    run.state.accuracy.add_row(metrics.after_merge, metrics.before_merge);
    run.alphas.push_back(merged.event.alpha);
    run.state_content_sha256 = run.folder.commit(
        make_task_record(run.identity, task, trained, heads_in(run.state.memory).back(), merged,
                         metrics),
        make_state_record(run.identity, run.seen(task), session.model->layout(), run.state));
    session.events.publish(TaskSaved{static_cast<int>(task.index),
                                     run.folder.task_file(task.index).string(), watch.seconds()});
  });
  session.stop.accept_requests();
}

TaskStarted started(const OpenRun& run, const Task& task) {
  const auto steps_of = [&](const Task& other) {
    return training_steps(batch_settings(run.session.config), other.index, other.train.size());
  };
  std::int64_t before = 0;  // of earlier tasks whose data is available
  for (const Task& earlier : run.seen(task).first(static_cast<std::size_t>(task.index)))
    if (!is_past(earlier)) before += steps_of(earlier);
  return {.task = static_cast<int>(task.index),
          .classes = task.classes,
          .samples = task.train.size(),
          .steps = steps_of(task),
          .steps_before = before};
}

}  // namespace

LearnedTask learn(OpenRun& run, const Task& task, StepSaver* saver) {
  Session& session = run.session;
  const Method& method = run.method;
  StreamState& state = run.state;
  const ClassesSeen seen = classes_seen(run.seen(task), session.config.scenario);
  TaskPasses passes(session, task, *method.training.objective);

  TrainedTask trained = train(run, passes, saver);
  put_head(state.memory, task.index, trained.head);
  TaskMeasurements measured = measure(method, passes, state.merged, trained);
  TimedRow before = evaluate_seen(
      run, task, measured.weights,
      method.classifier->scores_before_merge(passes, measured.weights, seen, state.memory),
      /*after_merge=*/false);

  MergeOutcome merged = merge_on_root(session, method, state, trained, measured,
                                      std::exchange(measured.fisher, std::nullopt));
  state.merged = merged.weights;
  state.merged_hash = merged.weights_hash;
  if (method.classifier->takes_features()) passes.features(state.merged);  // for the loss, too
  const MergeCost cost = measure_cost(passes, measured, merged, trained);
  method.classifier->learn(passes, state.merged, seen, state.memory);
  TimedRow after = evaluate_seen(run, task, state.merged,
                                 method.classifier->scores(state.memory, seen, session.device()),
                                 /*after_merge=*/true);

  ++state.tasks_done;
  const TaskMetrics metrics = {.before_merge = std::move(before.row),
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
                               .seconds_evaluate = before.seconds + after.seconds};
  return {std::move(trained), std::move(merged), metrics};
}

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
      events.publish(started(run, task));
      StepSaver saver(run);
      save(run, task, learn(run, task, &saver));
    }
    events.publish(RunFinished{watch.seconds()});
  } catch (const Stopped&) {
    result.stopped = true;
    result.stopped_at = watchdog.position();
  }
  result.accuracy = std::move(run.state.accuracy);
  result.alphas = std::move(run.alphas);
  return result;
}

}  // namespace palimpsest
