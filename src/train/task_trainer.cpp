#include "palimpsest/train/task_trainer.h"

#include <ATen/ATen.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/remerge/merge_record.h"
#include "palimpsest/train/step_input.h"
#include "palimpsest/train/task_parameters.h"
#include "palimpsest/train/training_step.h"

namespace palimpsest {

void skip_step(const Session& session, const Task& task, const NonfiniteStep& at, StepOf what) {
  StepSkipped event{.task = static_cast<int>(task.index),
                    .step = at.step,
                    .in_refit = what == StepOf::kHeadAfterMerge,
                    .loss = at.loss,
                    .gradient_norm = at.gradient_norm};
  std::string samples;
  for (const std::int64_t position : at.batch) {
    event.samples.push_back(task.train.samples[static_cast<std::size_t>(position)]);
    samples += concat(' ', event.samples.back());
  }
  const RunConfig& config = session.config;
  const bool skips = config.nonfinite.kind == NonfiniteSettings::Kind::kSkip;
  if (skips && at.skipped < config.nonfinite.limit) {
    session.events.publish(event);
    return;
  }
  const std::string limit = skips ? concat(" --nonfinite skip:limit=", config.nonfinite.limit,
                                           ": as many were skipped before.")
                                  : " --nonfinite skip would leave the step out.";
  throw DivergedError(concat(
      "loss ", at.loss, ", gradient norm ", at.gradient_norm, "; expected finite numbers. Lower ",
      what == StepOf::kAdapterAndHead ? "--lr" : "--head-lr", " or set --clip-norm.", limit,
      " Samples of the batch (pack indices):", samples));
}

namespace {

// What one finished step adds to the counters.
void count_step(TaskProgress& progress, const TrainingStep::Outcome& outcome,
                std::int64_t predictions, std::int64_t steps_per_pass) {
  if (progress.updates++ == 0) progress.loss_first_step = outcome.loss;
  if (progress.steps_done < progress.steps - steps_per_pass) return;
  progress.loss_sum_last_pass += outcome.loss * static_cast<double>(predictions);
  progress.predictions_last_pass += predictions;
}

// As the task begins.
void initialise(Session& session, const Task& task, const TrainingParts& parts, const Head& head,
                TaskParameters& parameters) {
  parts.adapter->begin(session, task, parameters.lora());
  if (!parameters.has_head()) return;
  const DeviceHead& placed = parameters.head();
  if (head.classes == 0) {
    parts.head->initialise(placed.weight, placed.bias, session.config.seed, task.index);
  } else {
    load_head(placed, head);
  }
}

void agree_on_parameters(const Session& session, const Task& task,
                         const TaskParameters& parameters) {
  const at::Tensor host = parameters.values().flat().to(at::kCPU);
  session.group.agree(sha256(std::as_bytes(std::span(host.const_data_ptr<float>(),
                                                     static_cast<std::size_t>(host.numel())))),
                      concat("hash of the parameters trained on task ", task.index + 1),
                      "agreement after training");
}

TrainedTask trained_task(const Session& session, const Task& task, AdapterAndHead parameters,
                         const TaskProgress& progress) {
  if (progress.predictions_last_pass == 0) {
    throw DivergedError(concat("every step of the last pass over task ", task.index + 1,
                               " was skipped: lower --lr or set --clip-norm"));
  }
  TrainedTask trained{.lora = std::move(parameters.lora),
                      .head = std::move(parameters.head),
                      .loss_first_step = progress.loss_first_step,
                      .loss_last_pass = progress.loss_sum_last_pass /
                                        static_cast<double>(progress.predictions_last_pass),
                      .seconds = progress.seconds};
  trained.task_vector = make_task_vector(trained.lora, session.shards.own());
  return trained;
}

// Of a backbone that answers as it is.
TrainedTask untrained(TaskPasses& passes, const TrainingParts& parts, const TaskBeginning& begin) {
  TrainedTask trained{.head = {.kind = std::string(parts.head->recorded_kind())}};
  trained.loss_first_step = trained.loss_last_pass = passes.loss(begin.weights, trained.head);
  return trained;
}

}  // namespace

TrainedTask train_task(Session& session, const Task& task, const TrainingParts& parts,
                       const TaskBeginning& begin, const AfterStep& after_step) {
  const Stopwatch watch;
  const int number = static_cast<int>(task.index) + 1;
  session.watchdog.at(number, 0);
  load_weights(session, begin.weights);
  const AdapterScope adapter(session);
  TaskParameters parameters(*session.model, task.index, std::ssize(task.classes), parts);
  TaskProgress progress;
  if (begin.progress) {
    parameters.load(*begin.progress);
    progress = *begin.progress;
  } else {
    initialise(session, task, parts, begin.head, parameters);
    progress.task = task.index;
    progress.steps = training_steps(batch_settings(session.config), task.index, task.train.size());
  }
  const double seconds_before = progress.seconds;
  const auto snapshot = [&] {
    TaskProgress all = progress;
    parameters.save(all);
    return all;
  };

  TrainingStep training(session, parts, parameters, progress.updates, begin.penalty);
  StepReader reader(session, task, *parts.perturbation, training.own_lanes());
  StepInput input;
  session.watchdog.at(number, progress.steps_done + 1);
  if (progress.steps_done < progress.steps) input = reader.read(progress.steps_done);
  while (progress.steps_done < progress.steps) {
    const std::int64_t step = progress.steps_done;
    const Stopwatch step_watch;
    session.watchdog.at(number, step + 1);
    const Watchdog::Phase phase(session.watchdog, "training step");
    const double factor = learning_rate_factor(session.config.schedule, step, progress.steps);
    training.launch(input, factor);
    const double c = input.perturbation.c;
    const std::vector<std::int64_t> batch = std::move(input.positions);
    const std::int64_t samples = std::ssize(batch), predictions = input.predictions;
    input = {};
    if (step + 1 < progress.steps) input = reader.read(step + 1);  // a device computes meanwhile
    const TrainingStep::Outcome outcome = training.wait();
    if (outcome.is_finite()) {
      count_step(progress, outcome, predictions, reader.steps_per_pass());
      session.events.publish(StepDone{.task = static_cast<int>(task.index),
                                      .step = step,
                                      .steps = progress.steps,
                                      .loss = outcome.loss,
                                      .gradient_norm = outcome.gradient_norm,
                                      .scale = c,
                                      .learning_rate = factor * session.config.lr,
                                      .samples = samples,
                                      .seconds = step_watch.seconds()});
    } else {
      skip_step(session, task,
                {step, step - progress.updates, outcome.loss, outcome.gradient_norm, batch},
                StepOf::kAdapterAndHead);
    }
    ++progress.steps_done;
    progress.seconds = seconds_before + watch.seconds();
    after_step(progress, snapshot);
  }
  agree_on_parameters(session, task, parameters);
  return trained_task(session, task, parameters.to_record(), progress);
}

TrainedTask train_on_features(TaskPasses& passes, const TrainingParts& parts,
                              const TaskBeginning& begin) {
  const Stopwatch watch;
  Session& session = passes.session();
  const Task& task = passes.task();
  const std::int64_t classes = std::ssize(task.classes);
  session.watchdog.at(static_cast<int>(task.index) + 1, 0);
  if (parts.head->weights() == HeadWeights::kOfBackbone) return untrained(passes, parts, begin);
  const at::Tensor& features = passes.features(begin.weights);
  HeadTraining training;
  if (parts.head->weights() == HeadWeights::kTrained) {
    training =
        train_head(features, task.train.targets, classes, task.index, begin.head, parts.head,
                   *parts.objective, head_training_settings(session.config),
                   [&](const NonfiniteStep& at) { skip_step(session, task, at, StepOf::kHead); });
  } else {
    training.head = parts.head->from_features(features, task.train.targets, classes);
    training.loss_first_step = training.loss_last_pass =
        mean_loss(features, task.train.targets, training.head, *parts.objective);
  }
  session.group.agree(heads_hash({&training.head, 1}),
                      concat("hash of the head trained on task ", task.index + 1),
                      "agreement after training");
  return {.head = std::move(training.head),
          .loss_first_step = training.loss_first_step,
          .loss_last_pass = training.loss_last_pass,
          .seconds = watch.seconds()};
}

}  // namespace palimpsest
