#include "palimpsest/train/head.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/model/flat_parameters.h"
#include "palimpsest/train/class_statistics.h"
#include "palimpsest/train/optimizer.h"
#include "palimpsest/train/schedule.h"

namespace palimpsest {

PlacedHead head_over(const at::Tensor& weight, const at::Tensor& bias, const RunConfig& config) {
  if (config.head == "linear") return {.weight = weight, .bias = bias};
  return {.weight = weight, .bias = bias, .kind = "cosine", .scale = config.head_scale};
}

void initialise_head(const PlacedHead& head, std::uint64_t seed, std::int64_t task) {
  const c10::NoGradGuard no_grad;
  const double bound = 1 / std::sqrt(static_cast<double>(head.weight.size(1)));
  std::uint64_t index = 0;
  for (const at::Tensor& parameter : {head.weight, head.bias}) {
    at::Tensor values = at::empty(parameter.sizes());
    fill_uniform({values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())},
                 bound,
                 RandomStream(seed, Purpose::kHeadInit, static_cast<std::uint32_t>(task), index++));
    parameter.detach().copy_(values);
  }
  if (head.kind == "cosine") head.bias.detach().zero_();
}

void load_head(const PlacedHead& head, const Head& from) {
  if (from.classes != head.weight.size(0) || from.features != head.weight.size(1)) {
    throw InputError(concat("a head of ", from.classes, " classes and ", from.features,
                            " features: expected ", head.weight.size(0), " and ",
                            head.weight.size(1)));
  }
  head.weight.detach().copy_(from_host(from.weight, head.weight.sizes(), head.weight.device()));
  head.bias.detach().copy_(from_host(from.bias, head.bias.sizes(), head.bias.device()));
}

HeadTraining train_head(const at::Tensor& features, std::span<const std::int64_t> targets,
                        std::int64_t classes, const RunConfig& config, std::int64_t task,
                        std::int64_t passes, const Head& start, const OnNonfinite& on_nonfinite) {
  FlatParameters parameters({{classes, features.size(1)}, {classes}}, features.device());
  const PlacedHead head = head_over(parameters.leaves()[0], parameters.leaves()[1], config);
  if (start.classes == 0) {
    initialise_head(head, config.seed, task);
  } else {
    load_head(head, start);
  }
  const at::Tensor all_targets =
      at::tensor(at::ArrayRef<std::int64_t>(targets.data(), targets.size())).to(features.device());
  const Sampler sampler({config.seed, config.batch, config.drop_last, passes}, task,
                        features.size(0));
  const Schedule schedule = schedule_of(config);
  AdamW optimizer({{parameters.flat(), config.head_lr}}, config.weight_decay);
  const at::Tensor gradient = at::zeros_like(parameters.flat());

  HeadTraining result;
  const std::int64_t steps = sampler.steps();
  double loss_sum = 0;
  std::int64_t samples = 0, skipped = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::vector<std::int64_t> batch = sampler.batch(step);
    const at::Tensor rows = at::tensor(batch).to(features.device());
    const at::Tensor loss = at::cross_entropy_loss(
        head_logits(features.index_select(0, rows), head), all_targets.index_select(0, rows));
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
    if (config.clip_norm > 0 && norm > config.clip_norm) gradient.mul_(config.clip_norm / norm);
    optimizer.set_factor(learning_rate_factor(schedule, step, steps));
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

RunConfig settings_after_merge(RunConfig config, std::int64_t samples) {
  config.warmup_steps = 0;
  config.drop_last = config.drop_last && samples >= config.batch;
  return config;
}

HeadTraining prototype_head(const at::Tensor& features, std::span<const std::int64_t> targets,
                            std::int64_t classes, const RunConfig& config) {
  ClassStatistics statistics = class_statistics(to_host(features), targets, classes);
  HeadTraining result;
  result.head = {.classes = classes,
                 .features = statistics.features,
                 .weight = std::move(statistics.mean),
                 .bias = std::vector<float>(static_cast<std::size_t>(classes)),
                 .kind = "cosine",
                 .scale = config.head_scale};
  const at::Tensor wanted = at::tensor(at::ArrayRef<std::int64_t>(targets.data(), targets.size()));
  const at::Tensor logits = head_logits(features, place(result.head, features.device()));
  result.loss_last_pass = at::cross_entropy_loss(logits.to(at::kCPU), wanted).item<double>();
  result.loss_first_step = result.loss_last_pass;
  return result;
}

}  // namespace palimpsest
