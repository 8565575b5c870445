#include "palimpsest/train/task_trainer.h"

#include <ATen/ATen.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/remerge/merge_record.h"
#include "palimpsest/train/features.h"
#include "palimpsest/train/head.h"
#include "palimpsest/train/schedule.h"
#include "palimpsest/train/step_input.h"
#include "palimpsest/train/task_parameters.h"
#include "palimpsest/train/training_step.h"

namespace palimpsest {

void skip_step(const TrainingContext& context, const Task& task, const NonfiniteStep& at,
               bool in_refit) {
  StepSkipped event{.task = static_cast<int>(task.index),
                    .step = at.step,
                    .in_refit = in_refit,
                    .loss = at.loss,
                    .gradient_norm = at.gradient_norm,
                    .samples = {}};
  std::string samples;
  for (const std::int64_t position : at.batch) {
    event.samples.push_back(task.train.samples[static_cast<std::size_t>(position)]);
    samples += concat(' ', event.samples.back());
  }
  const RunConfig& config = context.config;
  if (config.nonfinite == "skip" && at.skipped < config.nonfinite_limit) {
    context.events.tell(event);
    return;
  }
  const std::string limit =
      config.nonfinite == "skip"
          ? concat(" --nonfinite-limit ", config.nonfinite_limit, " steps were skipped before.")
          : " --nonfinite skip would leave the step out.";
  throw DivergedError(concat(
      "loss ", at.loss, ", gradient norm ", at.gradient_norm, "; expected finite numbers. Lower ",
      in_refit || config.adapter == "none" ? "--head-lr" : "--lr", " or set --clip-norm.", limit,
      " Samples of the batch (pack indices):", samples));
}

namespace {

TrainedTask train_frozen(const TrainingContext& context, const Task& task, const Head& head) {
  const RunConfig& config = context.config;
  const at::Tensor features = cached_features(context, task.train);
  HeadTraining training =
      config.head == "prototype"
          ? prototype_head(features, task.train.targets, std::ssize(task.classes), config)
          : train_head(features, task.train.targets, std::ssize(task.classes), config, task.index,
                       config.epochs * config.passes_per_epoch, head,
                       [&](const NonfiniteStep& at) { skip_step(context, task, at); });
  context.group.agree(heads_hash({&training.head, 1}),
                      concat("hash of the head trained on task ", task.index + 1),
                      "agreement after training");
  return {
      .lora = {},
      .task_vector = std::vector<float>(static_cast<std::size_t>(context.model.layout().size())),
      .head = std::move(training.head),
      .loss_first_step = training.loss_first_step,
      .loss_last_pass = training.loss_last_pass};
}

}  // namespace

TrainedTask train_task(const TrainingContext& context, const Task& task,
                       const std::optional<TaskProgress>& start, const AfterStep& after_step,
                       const Head& head, const QuadraticPenalty& penalty) {
  const RunConfig& config = context.config;
  const Stopwatch watch;
  context.watchdog.at(static_cast<int>(task.index) + 1, 0);
  if (config.adapter == "none") {
    TrainedTask trained = train_frozen(context, task, head);
    trained.seconds = watch.seconds();
    return trained;
  }

  Backbone& model = context.model;
  const std::int64_t steps = training_steps(config, task.index, task.train.size());
  TaskParameters parameters(model, std::ssize(task.classes), config);
  TaskProgress progress;
  if (start) {
    parameters.load(*start);
    progress = *start;
  } else {
    progress.task = task.index;
    progress.steps = steps;
    parameters.initialise(config.seed, task.index, head);
  }
  const double seconds_before = progress.seconds;
  const auto snapshot = [&] {
    TaskProgress all = progress;
    parameters.save(all);
    return all;
  };

  const Schedule schedule{config.schedule, config.milestones, config.milestone_factor,
                          config.warmup_steps};
  TrainingStep training(context, parameters, progress.updates, penalty);
  StepReader reader(context, task, training.own_lanes());
  StepInput input;
  context.watchdog.at(static_cast<int>(task.index) + 1, progress.steps_done + 1);
  if (progress.steps_done < steps) input = reader.read(progress.steps_done);
  while (progress.steps_done < steps) {
    const std::int64_t step = progress.steps_done;
    const Stopwatch step_watch;
    context.watchdog.at(static_cast<int>(task.index) + 1, step + 1);
    const Watchdog::Phase phase(context.watchdog, "training step");
    const TrainingStep::Numbers numbers{
        .samples = std::ssize(input.positions),
        .c = input.perturbation.c,
        .noise_seed = input.perturbation.noise_seed,
        .learning_rate_factor = learning_rate_factor(schedule, step, steps)};
    training.queue(input.lanes, numbers);
    const std::vector<std::int64_t> batch = std::move(input.positions);
    input = {};
    if (step + 1 < steps) input = reader.read(step + 1);  // a device computes meanwhile
    const TrainingStep::Outcome outcome = training.wait();
    const double loss = outcome.loss, norm = outcome.gradient_norm;
    if (outcome.is_finite()) {
      if (progress.updates++ == 0) progress.loss_first_step = loss;
      if (step >= steps - reader.steps_per_pass()) {
        progress.loss_sum_last_pass += loss * static_cast<double>(numbers.samples);
        progress.samples_last_pass += numbers.samples;
      }
      context.events.tell(StepDone{.task = static_cast<int>(task.index),
                                   .step = step,
                                   .steps = steps,
                                   .loss = loss,
                                   .gradient_norm = norm,
                                   .scale = numbers.c,
                                   .learning_rate = numbers.learning_rate_factor * config.lr,
                                   .samples = numbers.samples,
                                   .seconds = step_watch.seconds()});
    } else {
      skip_step(context, task, {step, step - progress.updates, loss, norm, batch});
    }
    ++progress.steps_done;
    progress.seconds = seconds_before + watch.seconds();
    after_step(progress, snapshot);
  }
  if (progress.samples_last_pass == 0) {
    throw DivergedError(concat("every step of the last pass over task ", task.index + 1,
                               " was skipped: lower --lr or set --clip-norm"));
  }

  const at::Tensor host = parameters.values().flat().to(at::kCPU);
  context.group.agree(sha256(std::as_bytes(std::span(host.const_data_ptr<float>(),
                                                     static_cast<std::size_t>(host.numel())))),
                      concat("hash of the parameters trained on task ", task.index + 1),
                      "agreement after training");
  AdapterAndHead record = parameters.to_record();
  TrainedTask trained{.lora = std::move(record.lora),
                      .task_vector = {},
                      .head = std::move(record.head),
                      .loss_first_step = progress.loss_first_step,
                      .loss_last_pass = progress.loss_sum_last_pass /
                                        static_cast<double>(progress.samples_last_pass),
                      .seconds = progress.seconds};
  trained.task_vector = task_vector_of(trained.lora, model.layout());
  return trained;
}

}  // namespace palimpsest
