#include "palimpsest/continual/run.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/curvature/curvature.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/train/task_passes.h"
#include "palimpsest/train/task_trainer.h"
#include "sharded_state.h"

namespace palimpsest {
namespace {

// What the head of the next task begins with: a shared one keeps its weights, others are fresh.
Head first_head(bool is_shared, const StreamState& state) {
  return is_shared && state.tasks_done > 0 ? heads_in(state.memory).back() : Head{};
}

// Stage 1: from theta_hat_{t-1} to Delta_t and the task's head. `saver`: of its steps, or null.
TrainedTask train(OpenRun& run, TaskPasses& passes, StepSaver* saver) {
  Session& session = run.session;
  const TrainingParts& parts = run.method.training;
  const bool factors_learn = parts.adapter->learns(passes.task().index).any();
  TaskBeginning begin{.weights = run.state.merged,
                      .head = first_head(shares_head(session.config.scenario), run.state),
                      .progress = std::exchange(run.progress, std::nullopt)};
  if (factors_learn) {
    begin.penalty = next_penalty(session.group, *run.method.penalty,
                                 run.method.curvature->instance(), run.state);
  }
  const auto after_step = [&](const TaskProgress& counters, const auto& snapshot) {
    if (saver != nullptr) saver->after_step(counters, snapshot);
  };
  TrainedTask trained = factors_learn ? train_task(session, passes.task(), parts, begin, after_step)
                                      : train_on_features(passes, parts, begin);
  if (saver != nullptr) finish_writing(run);
  session.events.publish(TaskTrained{static_cast<int>(passes.task().index), trained.loss_first_step,
                                     trained.loss_last_pass, trained.seconds});
  return trained;
}

// theta_t*. Weights that didn't change stay the same object, at which nothing is measured twice.
AdaptedWeights add_task_vector(const AdaptedWeights& merged, const TrainedTask& trained) {
  if (trained.lora.empty()) return merged;
  std::vector<float> weights = *merged;
  add_scaled(weights, 1, trained.task_vector);
  return make_weights(std::move(weights));
}

// What the merge needs: losses at theta_hat_{t-1} and theta_t*, and the curvature there.
std::optional<Fisher> measure(const Method& method, TaskPasses& passes,
                              const AdaptedWeights& merged, const AdaptedWeights& weights,
                              const TrainedTask& trained, TaskMetrics& metrics) {
  if (!method.needs_curvature() || trained.lora.empty()) return std::nullopt;
  if (method.curvature->needs_loss_before())
    metrics.loss_merged_before = passes.loss(merged, trained.head);
  const Stopwatch watch;
  Fisher fisher = passes.curvature(weights, trained.head, *method.curvature);
  metrics.loss_trained = fisher.loss;
  metrics.seconds_fisher = watch.seconds();
  return fisher;
}

// By how much the merge raised the task's loss, with the head as trained (--error-budget).
void measure_cost(TaskPasses& passes, const AdaptedWeights& weights, const MergeOutcome& merged,
                  const TrainedTask& trained, TaskMetrics& metrics) {
  Session& session = passes.session();
  if (!session.config.error_budget || trained.lora.empty()) return;
  metrics.rise_predicted = merged.predicted_rise;
  metrics.rise_measured = 0;
  if (merged.weights != weights) {
    metrics.loss_trained = passes.loss(weights, trained.head);
    metrics.rise_measured = passes.loss(merged.weights, trained.head) - metrics.loss_trained;
  }
  session.events.publish(ErrorBudget{static_cast<int>(passes.task().index), metrics.rise_predicted,
                                     *metrics.rise_measured});
}

// Over all classes seen, by every classifier of the run. after_merge: for which rows of the
// metrics, those before the merge or those after it; both where the merge changed nothing.
void evaluate_seen(OpenRun& run, const Task& task, const AdaptedWeights& weights,
                   std::span<const ClassScores> scores, std::initializer_list<bool> after_merge,
                   TaskMetrics& metrics) {
  const Stopwatch watch;
  const std::span<const Task> seen = run.seen(task);
  const bool before_merge = std::ranges::find(after_merge, true) == after_merge.end();
  const std::size_t first =
      first_tested(run.session.config, seen.size(), run.session.tasks().size(), before_merge);
  const std::vector<EvaluationRow> rows = evaluate(run.session, weights, seen, scores, first);
  const double seconds = watch.seconds();
  metrics.seconds_evaluate += seconds;
  metrics.others.resize(rows.size() - 1);
  for (const bool after : after_merge) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string& classifier = run.method.classifiers[i]->text();
      run.session.events.publish(Evaluated{.task = static_cast<int>(task.index),
                                           .classifier = classifier,
                                           .is_own = i == 0,
                                           .after_merge = after,
                                           .row = rows[i],
                                           .seconds = seconds});
      if (i == 0) {
        metrics.classifier = classifier;
        (after ? metrics.after_merge : metrics.before_merge) = rows[i];
      } else {
        ClassifierRows& other = metrics.others[i - 1];
        other.classifier = classifier;
        (after ? other.after_merge : other.before_merge) = rows[i];
      }
    }
  }
}

// By classifiers that take the task in at theta_t*, as if it were not merged.
void evaluate_before_merge(OpenRun& run, TaskPasses& passes, const AdaptedWeights& trained,
                           const ClassesSeen& seen, TaskMetrics& metrics) {
  std::vector<ClassScores> scores;
  for (const auto& classifier : run.method.classifiers)
    scores.push_back(classifier->scores_before_merge(passes, trained, seen, run.state.memory));
  evaluate_seen(run, passes.task(), trained, scores, {false}, metrics);
}

void add_rows(const TaskMetrics& metrics, StreamState& state) {
  state.accuracy.add_row(metrics.after_merge, metrics.before_merge);
  state.others.resize(metrics.others.size());
  for (std::size_t i = 0; i < metrics.others.size(); ++i) {
    const ClassifierRows& rows = metrics.others[i];
    state.others[i].classifier = rows.classifier;
    state.others[i].accuracy.add_row(rows.after_merge, rows.before_merge);
  }
}

// As save(), while all ranks wait: what they have in shards goes to rank 0 as it is written.
void save_shards(OpenRun& run, const Task& task, LearnedTask learned) {
  finish_writing(run);
  Session& session = run.session;
  const std::string curvature = run.method.curvature_memory();
  CurvatureMemory memory = take_curvature(run.state.memory, curvature);
  std::vector<float> fisher;
  if (learned.merged.fisher) fisher = std::exchange(learned.merged.fisher->values, {});
  ShardRequests shards(session, {.weights = *run.state.merged,
                                 .fisher = fisher,
                                 .s0 = memory.s0(),
                                 .s1 = memory.s1(),
                                 .curvature = curvature});
  if (session.is_root()) {
    const Stopwatch watch;
    const ProgressListener listener([&] { session.watchdog.progress(); });
    add_rows(learned.metrics, run.state);
    run.alphas.push_back(learned.merged.event.alpha);
    const TaskRecord record =
        make_task_record(run.identity, task, std::move(learned.trained), std::move(learned.merged),
                         std::move(learned.metrics));
    run.state_content_sha256 = run.folder.commit(
        record, make_state_record(run.identity, run.seen(task), session.shards.all(), run.state),
        run.folder.log_offsets(), &shards);
    shards.end();
    session.events.publish(TaskSaved{static_cast<int>(task.index),
                                     run.folder.task_file(task.index).string(), watch.seconds()});
  } else {
    shards.answer();
  }
  put_curvature(run.state.memory, curvature, std::move(memory));
  session.stop.accept_requests();
}

// Rank 0 copies what the next task changes, and writes a file for the task, one for the state, then
// the manifest, while that begins; the others wait for the copy.
void save(OpenRun& run, const Task& task, LearnedTask learned) {
  Session& session = run.session;
  session.events.publish(TaskLearned{static_cast<int>(task.index)});
  const Watchdog::Phase phase(session.watchdog, "saving", 10);
  if (session.shards.are_split()) return save_shards(run, task, std::move(learned));
  session.group.work("save on rank 0", [&] {
    if (!session.is_root()) return;
    add_rows(learned.metrics, run.state);
    run.alphas.push_back(learned.merged.event.alpha);
    struct Saved {
      std::string content_sha256;
      double seconds = 0;
    };
    const auto saved = std::make_shared<Saved>();
    run.writer->start(
        [saved, folder = run.folder, logs = run.folder.log_offsets(), weights = run.state.merged,
         record = make_task_record(run.identity, task, std::move(learned.trained),
                                   std::move(learned.merged), std::move(learned.metrics)),
         state = make_state_record(run.identity, run.seen(task), session.model->layout(),
                                   run.state)]() mutable {
          const Stopwatch watch;
          state.merged = *weights;
          saved->content_sha256 = folder.commit(record, state, logs);
          saved->seconds = watch.seconds();
        },
        [saved, &run, index = task.index] {
          run.state_content_sha256 = saved->content_sha256;
          run.session.events.publish(TaskSaved{
              static_cast<int>(index), run.folder.task_file(index).string(), saved->seconds});
        });
  });
  session.stop.accept_requests();
}

// The tasks before a failure are saved; where that fails, too, both are said.
void save_before_the_end(OpenRun& run, const DivergedError& diverged) {
  try {
    finish_writing(run);
  } catch (const Error& unsaved) {
    throw DivergedError(
        concat(diverged.what(), "; and a task before it is not saved: ", unsaved.what()));
  }
}

TaskStarted started(const OpenRun& run, const Task& task) {
  const auto step_count = [&](const Task& other) {
    return training_steps(batch_settings(run.session.config), other.index, other.train.size());
  };
  std::int64_t before = 0;  // of earlier tasks whose data is available
  for (const Task& earlier : run.seen(task).first(static_cast<std::size_t>(task.index)))
    if (!earlier.is_past()) before += step_count(earlier);
  return {.task = static_cast<int>(task.index),
          .classes = task.classes,
          .samples = task.train.size(),
          .steps = step_count(task),
          .steps_before = before};
}

}  // namespace

LearnedTask learn(OpenRun& run, const Task& task, StepSaver* saver) {
  Session& session = run.session;
  const Method& method = run.method;
  StreamState& state = run.state;
  session.pixels.cache().begin_task();
  const ClassesSeen seen = classes_seen(run.seen(task), session.config.scenario);
  TaskPasses passes(session, task, *method.training.objective, state.merged,
                    method.curvature->samples_by_class());

  LearnedTask learned{.trained = train(run, passes, saver)};
  auto& [trained, merged, metrics] = learned;
  metrics.loss_first_step = trained.loss_first_step;
  metrics.loss_last_pass = trained.loss_last_pass;
  metrics.seconds_train = trained.seconds;
  if (trained.head.classes > 0) put_head(state.memory, task.index, trained.head);
  const AdaptedWeights trained_weights = add_task_vector(state.merged, trained);
  std::optional<Fisher> fisher =
      measure(method, passes, state.merged, trained_weights, trained, metrics);

  const Stopwatch watch;
  merged = merge_stage(session, method, state, trained, trained_weights, std::move(fisher),
                       metrics.loss_merged_before - metrics.loss_trained);
  metrics.seconds_merge = watch.seconds();
  const bool is_changed = merged.weights != trained_weights;
  if (is_changed) evaluate_before_merge(run, passes, trained_weights, seen, metrics);
  state.merged = merged.weights;
  state.merged_hash = merged.weights_hash;
  // measure_cost reads its loss from them.
  if (method.takes_features()) passes.features(state.merged);
  measure_cost(passes, trained_weights, merged, trained, metrics);
  std::vector<ClassScores> scores;
  for (const auto& classifier : method.classifiers) {
    classifier->learn(passes, state.merged, seen, state.memory);
    scores.push_back(classifier->scores(state.memory, seen, session.device()));
  }
  if (is_changed)
    evaluate_seen(run, task, state.merged, scores, {true}, metrics);
  else
    evaluate_seen(run, task, state.merged, scores, {false, true}, metrics);
  ++state.tasks_done;
  return learned;
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
    finish_writing(run);
    events.publish(RunFinished{watch.seconds()});
  } catch (const Stopped&) {
    result.stopped = true;
    result.stopped_at = watchdog.position();
    finish_writing(run);
  } catch (const DivergedError& diverged) {  // on every rank alike
    save_before_the_end(run, diverged);
    throw;
  }
  result.accuracy = std::move(run.state.accuracy);
  result.others = std::move(run.state.others);
  result.alphas = std::move(run.alphas);
  return result;
}

}  // namespace palimpsest
