#include "workload.h"

#include <algorithm>

#include "palimpsest/classifier/head_alignment.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/past_tasks.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/method/method.h"
#include "palimpsest/model/backbone.h"

namespace palimpsest {
namespace {

std::int64_t kept_numbers(const Method& method, bool on_device) {
  const std::int64_t penalty = on_device ? 2 : 4;  // as told, and where the model is
  return (method.penalty->needs_curvature() ? penalty : 0) +
         (method.training.perturbation->noise_size() > 0 ? 1 : 0);
}

// Of a task, on average over `tasks`. Where a merge takes all of a task, as of the first one, there
// is no rise to measure; without a Fisher, the loss before it is measured first.
double merge_passes(const RunConfig& config, const Method& method, std::int64_t tasks) {
  const double features = method.classifier->takes_features() ? 1 : 0;
  if (!config.error_budget || !method.training.adapter->learns(0).any()) return features;
  const auto count = static_cast<double>(tasks);
  const double moved = !method.merge->changes_trained()                ? 0
                       : method.merge->known_alpha(0).value_or(1) != 1 ? 1
                                                                       : (count - 1) / count;
  return features + moved * (method.needs_curvature() ? 1 : 2);
}

AdaptedLayers adapted_layers(const Adapter& adapter) {
  const auto is_adapted = [&](std::string_view target) {
    return adapter.rank() > 0 && std::ranges::count(adapter.targets(), target) > 0;
  };
  return {.qkv = is_adapted("query") || is_adapted("key") || is_adapted("value"),
          .output = is_adapted("output"),
          .fc1 = is_adapted("fc1"),
          .fc2 = is_adapted("fc2")};
}

}  // namespace

Workload workload_of(const RunConfig& config, const Inputs& inputs) {
  const auto* vit = std::get_if<VitConfig>(&inputs.backbone);
  const auto tokens_of = [&](std::int64_t sample) {
    return vit != nullptr ? image_tokens(*vit, config.image_transform.size)
                          : inputs.pack.length(sample);
  };
  Workload work{.model = model_shape(inputs.backbone),
                .layout = adapted_layout(block_shape(inputs.backbone),
                                         adapters().make(config.adapter)->targets()),
                .tasks = std::ssize(inputs.tasks)};
  std::int64_t tokens = 0, seen = 0;
  for (const Task& task : inputs.tasks) {
    if (is_past(task)) continue;  // learned before, from other data
    work.steps += training_steps(batch_settings(config), task.index, task.train.size());
    work.train_samples += task.train.size();
    seen += task.test.size();
    work.test_samples += seen;
    work.classes += std::ssize(task.classes);
    work.most_classes = std::max(work.most_classes, std::ssize(task.classes));
    for (const std::int64_t sample : task.train.samples) {
      const std::int64_t length = tokens_of(sample);
      tokens += length;
      work.longest_tokens = std::max(work.longest_tokens, length);
    }
  }
  work.mean_tokens = static_cast<double>(tokens) / static_cast<double>(work.train_samples);
  return work;
}

Workload workload_of(const RunConfig& config, const SketchedStream& stream) {
  const BackboneConfig backbone = published_shape(stream.shape);
  const auto* vit = std::get_if<VitConfig>(&backbone);
  if (vit == nullptr && stream.tokens == 0) {
    throw UsageError(concat("--shape ", stream.shape,
                            " reads texts: say with --tokens how many tokens one has"));
  }
  if (const auto* bert = std::get_if<BertConfig>(&backbone);
      bert != nullptr && stream.tokens > bert->positions) {
    throw UsageError(concat("--tokens ", stream.tokens, ": ", stream.shape,
                            " takes texts of up to ", bert->positions, " tokens"));
  }
  if (vit != nullptr && config.image_transform.size % vit->patch != 0) {
    throw UsageError(concat("image-transform size ", config.image_transform.size,
                            ": expected a multiple of the patch, ", vit->patch, " pixels"));
  }
  const std::int64_t tokens =
      vit != nullptr ? image_tokens(*vit, config.image_transform.size) : stream.tokens;
  return {
      .model = model_shape(backbone),
      .layout = adapted_layout(block_shape(backbone), adapters().make(config.adapter)->targets()),
      .tasks = stream.tasks,
      .steps = stream.tasks * training_steps(batch_settings(config), 0, stream.train_samples),
      .train_samples = stream.tasks * stream.train_samples,
      .test_samples = 0,
      .most_classes = stream.classes,
      .classes = stream.tasks * stream.classes,
      .longest_tokens = tokens,
      .mean_tokens = static_cast<double>(tokens)};
}

TrainingShape training_shape(const RunConfig& config, const Workload& work, int world_size,
                             bool on_device) {
  const Lanes lanes = lanes_of(config.lanes, world_size);
  const Method method = make_method(config);
  const Adapter& adapter = *method.training.adapter;
  return {.rank = adapter.rank(),
          .trains_a = adapter.learns(0).a,
          .classes = work.most_classes,
          .lanes = std::ssize(lanes.of(0, world_size)),
          .lane_samples = (config.batch + lanes.count - 1) / lanes.count,
          .tokens = work.longest_tokens,
          .image_side = work.model.texts ? 0 : config.image_transform.size,
          .adapted = adapted_layers(adapter),
          .bf16 = config.precision == Precision::kBf16,
          .activation_checkpointing = config.activation_checkpointing,
          .keeps_fisher = method.needs_curvature(),
          .fisher_backwards = method.curvature->backward_passes(work.most_classes),
          .kept_numbers = kept_numbers(method, on_device),
          .drawn_features = method.classifier->aligns_heads() ? kDrawsPerClass * work.classes : 0,
          .on_device = on_device,
          .class_token_only = !work.model.texts && config.pooling != Pooling::kMean};
}

TaskWork task_work(const RunConfig& config, const Workload& work) {
  const Lanes lanes = lanes_of(config.lanes, 1);
  const Method method = make_method(config);
  const bool measures = method.needs_curvature();
  const ParameterCounts parameters = parameter_counts(
      work.model, work.layout, training_shape(config, work, 1, /*on_device=*/false));
  return {.steps = work.steps / work.tasks,
          .batch = config.batch,
          .train_samples = work.train_samples / work.tasks,
          .test_samples = work.test_samples / work.tasks,
          .lanes = lanes.count,
          .ordered = lanes.ordered,
          .loss_pass = measures && method.curvature->needs_loss_before(),
          .fisher_pass = measures,
          .merge_passes = merge_passes(config, method, work.tasks),
          .trained = parameters.trained(),
          .adapted = parameters.adapted};
}

}  // namespace palimpsest
