#include "palimpsest/train/head_training.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/model/flat_parameters.h"
#include "palimpsest/optimizer/optimizer.h"

namespace palimpsest {

HeadTrainingSettings head_training_settings(const RunConfig& config) {
  return {.batches = batch_settings(config),
          .learning_rate = config.head_lr,
          .weight_decay = config.weight_decay,
          .clip_norm = config.clip_norm,
          .schedule = config.schedule};
}

HeadTrainingSettings settings_after_merge(const RunConfig& config, std::int64_t samples,
                                          std::int64_t passes) {
  HeadTrainingSettings settings = head_training_settings(config);
  settings.batches.passes = passes;
  settings.batches.drop_last = config.drop_last && samples >= config.batch;
  settings.schedule.warmup = 0;
  return settings;
}

HeadTraining train_head(const at::Tensor& features, std::span<const std::int64_t> targets,
                        std::int64_t classes, std::int64_t task, const Head& start,
                        const std::shared_ptr<const HeadType>& kind, const Objective& objective,
                        const HeadTrainingSettings& settings, const OnNonfinite& on_nonfinite) {
  FlatParameters parameters({{classes, features.size(1)}, {classes}}, features.device());
  const DeviceHead head{
      .weight = parameters.leaves()[0], .bias = parameters.leaves()[1], .kind = kind};
  if (start.classes == 0) {
    kind->initialise(head.weight, head.bias, settings.batches.seed, task);
  } else {
    load_head(head, start);
  }
  const at::Tensor all_targets =
      at::tensor(at::ArrayRef<std::int64_t>(targets.data(), targets.size())).to(features.device());
  const Sampler sampler(settings.batches, task, features.size(0));
  AdamW optimizer({{parameters.flat(), settings.learning_rate}}, settings.weight_decay);
  const at::Tensor gradient = at::zeros_like(parameters.flat());

  HeadTraining result;
  const std::int64_t steps = sampler.steps();
  double loss_sum = 0;
  std::int64_t samples = 0, skipped = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::vector<std::int64_t> batch = sampler.batch(step);
    const at::Tensor rows = at::tensor(batch).to(features.device());
    const at::Tensor loss =
        objective
            .summed_loss(features.index_select(0, rows), head, all_targets.index_select(0, rows))
            .div(static_cast<double>(batch.size()));
    parameters.gather(torch::autograd::grad({loss}, parameters.leaves(), {}, std::nullopt,
                                            /*create_graph=*/false, /*allow_unused=*/true),
                      gradient);
    const double value = loss.item<double>(), norm = gradient.to(at::kDouble).norm().item<double>();
    if (!std::isfinite(value) || !std::isfinite(norm)) {
      if (!on_nonfinite) {
        throw DivergedError(concat("head of task ", task + 1, ", step ", step + 1, ": loss ", value,
                                   ", gradient norm ", norm,
                                   "; expected finite numbers. Lower --head-lr"));
      }
      on_nonfinite({step, skipped++, value, norm, batch});
      continue;
    }
    if (settings.clip_norm > 0 && norm > settings.clip_norm)
      gradient.mul_(settings.clip_norm / norm);
    optimizer.set_factor(learning_rate_factor(settings.schedule, step, steps));
    optimizer.step({gradient});
    if (step == skipped) result.loss_first_step = value;
    if (step >= steps - sampler.steps_per_pass()) {
      loss_sum += value * static_cast<double>(batch.size());
      samples += std::ssize(batch);
    }
  }
  if (samples == 0) {
    throw DivergedError(concat("every step of the last pass over task ", task + 1,
                               " was skipped: lower --head-lr or set --clip-norm"));
  }
  result.loss_last_pass = loss_sum / static_cast<double>(samples);
  result.head = to_record(head);
  return result;
}

double mean_loss(const at::Tensor& features, std::span<const std::int64_t> targets,
                 const Head& head, const Objective& objective) {
  const at::Tensor wanted = at::tensor(at::ArrayRef<std::int64_t>(targets.data(), targets.size()));
  const at::Tensor logits = objective.logits(features, place(head, features.device()));
  return objective.loss(logits.to(at::kCPU), wanted)
      .div(static_cast<double>(wanted.size(0)))
      .item<double>();
}

}  // namespace palimpsest
