#include "palimpsest/train/task_trainer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/model/flat_parameters.h"
#include "palimpsest/train/features.h"
#include "palimpsest/train/head.h"
#include "palimpsest/train/optimizer.h"
#include "palimpsest/train/perturbation.h"
#include "palimpsest/train/schedule.h"

namespace palimpsest {
namespace {

TrainedTask train_frozen(const TrainingContext& context, const Task& task) {
  const at::Tensor features = cached_features(context, task.train);
  const HeadTraining training =
      train_head(features, task.train.targets, std::ssize(task.classes), context.config, task.index,
                 context.config.epochs * context.config.passes_per_epoch, Head{});
  return {
      .lora = {},
      .task_vector = std::vector<float>(static_cast<std::size_t>(context.model.layout().size())),
      .head = training.head,
      .loss_first_step = training.loss_first_step,
      .loss_last_pass = training.loss_last_pass};
}

void check_finite(const Task& task, double loss, double norm,
                  const std::vector<std::int64_t>& batch) {
  if (std::isfinite(loss) && std::isfinite(norm)) return;
  std::ostringstream samples;
  for (const std::int64_t position : batch)
    samples << ' ' << task.train.samples[static_cast<std::size_t>(position)];
  throw DivergedError(concat("loss ", loss, ", gradient norm ", norm,
                             "; expected finite numbers. Lower --lr or set --clip-norm. Samples of "
                             "the batch (pack indices):",
                             samples.str()));
}

// Module by module through merge's task_vector(): Delta's defined bits.
std::vector<float> task_vector_of(const std::vector<LoraFactors>& factors,
                                  const AdaptedLayout& layout) {
  std::vector<float> delta(static_cast<std::size_t>(layout.size()));
  for (const LoraFactors& f : factors) {
    const AdaptedModule& module = layout.modules()[layout.index_of(f.module)];
    task_vector(f.a, f.b, f.rank, f.out, f.in, f.scale,
                std::span(delta).subspan(static_cast<std::size_t>(module.offset),
                                         static_cast<std::size_t>(module.size())));
  }
  return delta;
}

}  // namespace

TrainedTask train_task(const TrainingContext& context, const Task& task) {
  const RunConfig& config = context.config;
  const Stopwatch watch;
  context.watchdog.at(static_cast<int>(task.index) + 1, 0);
  if (config.adapter == "none") {
    TrainedTask trained = train_frozen(context, task);
    trained.seconds = watch.seconds();
    return trained;
  }

  Backbone& model = context.model;
  std::vector<std::vector<std::int64_t>> shapes =
      Lora::shapes(model.lora_groups(), config.lora_rank);
  const std::size_t factors = shapes.size();
  const std::int64_t classes = std::ssize(task.classes);
  shapes.push_back({classes, model.feature_size()});
  shapes.push_back({classes});
  const FlatParameters parameters(shapes, model.device());
  const at::Tensor &weight = parameters.leaves()[factors], &bias = parameters.leaves()[factors + 1];
  Lora lora(model.lora_groups(), config.lora_rank,
            config.lora_alpha / static_cast<double>(config.lora_rank), parameters.leaves());
  lora.initialise(config.seed, task.index);
  initialise_head(weight, bias, config.seed, task.index);

  const Sampler sampler(config.seed, task.index, task.train.size(), config.batch, config.drop_last);
  const std::int64_t steps = training_steps(config, task.index, task.train.size());
  const Schedule schedule{config.schedule, config.milestones, config.milestone_factor,
                          config.warmup_steps};
  const double epsilon = config.perturbation == "none" ? 0 : config.epsilon;
  AdamW optimizer({{parameters.range(0, factors), config.lr},
                   {parameters.range(factors, shapes.size()), config.head_lr}},
                  config.weight_decay);
  // A lane's vector: its gradient sums, then its loss sum.
  const std::int64_t size = parameters.size();
  LaneSum sums(context.collectives, context.lanes, size + 1, at::kFloat, model.device());

  const auto compute_lane = [&](const std::vector<std::int64_t>& positions, std::int64_t pass,
                                double c, const at::Tensor& part) {
    if (positions.empty()) {
      part.zero_();
      return;
    }
    const Batch batch = context.reader.training_view(task, positions, pass);
    const at::Tensor logits =
        at::linear(model.features(batch, {.lora = &lora, .c = c}), weight, bias);
    const at::Tensor loss = at::cross_entropy_loss(
        logits, at::tensor(batch.targets).to(model.device()), {}, at::Reduction::Sum);
    parameters.gather(torch::autograd::grad({loss}, parameters.leaves()), part.narrow(0, 0, size));
    part[size].copy_(loss.detach());
  };

  TrainedTask trained;
  double pass_loss = 0;
  std::int64_t pass_samples = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Stopwatch step_watch;
    context.watchdog.at(static_cast<int>(task.index) + 1, step + 1);
    const Watchdog::Phase phase(context.watchdog, "training step");
    const double c = perturbation_scale(config.seed, task.index, step, epsilon);
    const std::vector<std::int64_t> batch = sampler.batch(step);
    model.set_adapter(lora, c);
    for (std::size_t i = 0; i < sums.own_lanes().size(); ++i) {
      compute_lane(lane_share(batch, sums.own_lanes()[i], context.lanes.count),
                   step / sampler.steps_per_pass(), c, sums.part(i));
    }

    const double n = static_cast<double>(batch.size());
    const at::Tensor mean = sums.reduce().div(n);
    const at::Tensor gradient = mean.narrow(0, 0, size);
    const double loss = mean[size].item<double>();
    const double norm = gradient.to(at::kDouble).norm().item<double>();
    check_finite(task, loss, norm, batch);
    if (config.clip_norm > 0 && norm > config.clip_norm) gradient.mul_(config.clip_norm / norm);
    const double factor = learning_rate_factor(schedule, step, steps);
    const std::int64_t head_begin = parameters.range(0, factors).numel();
    optimizer.step(
        {gradient.narrow(0, 0, head_begin), gradient.narrow(0, head_begin, size - head_begin)},
        factor);

    if (step == 0) trained.loss_first_step = loss;
    if (step >= steps - sampler.steps_per_pass()) {
      pass_loss += loss * n;
      pass_samples += std::ssize(batch);
    }
    context.events.tell(StepDone{.task = static_cast<int>(task.index),
                                 .step = step,
                                 .steps = steps,
                                 .loss = loss,
                                 .gradient_norm = norm,
                                 .scale = c,
                                 .learning_rate = factor * config.lr,
                                 .samples = std::ssize(batch),
                                 .seconds = step_watch.seconds()});
  }
  trained.loss_last_pass = pass_loss / static_cast<double>(pass_samples);

  const at::Tensor host = parameters.flat().to(at::kCPU);
  context.group.agree(sha256(std::as_bytes(std::span(host.const_data_ptr<float>(),
                                                     static_cast<std::size_t>(host.numel())))),
                      concat("hash of the parameters trained on task ", task.index + 1),
                      "agreement after training");
  trained.lora = lora.to_records(model.layout());
  trained.task_vector = task_vector_of(trained.lora, model.layout());
  trained.head = head_to_record(weight, bias);
  trained.seconds = watch.seconds();
  return trained;
}

}  // namespace palimpsest
