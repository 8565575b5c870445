#include <algorithm>
#include <numeric>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/evaluate/evaluator.h"
#include "palimpsest/method/method.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/session/lanes.h"
#include "planning.h"

namespace palimpsest {
namespace {

// The tasks of a run: how many there are, in how many of them factors learn, and which factors.
struct TaskCounts {
  std::int64_t all = 0, with_factors = 0;
  Learns learns = {};

  bool frozen() const { return with_factors == 0; }
  // Of all tasks, those that have steps: with a frozen backbone, the passes for the features.
  double learning() const {
    return frozen() ? 1 : static_cast<double>(with_factors) / static_cast<double>(all);
  }
};

TaskCounts count_tasks(const Adapter& adapter, std::span<const std::int64_t> tasks) {
  TaskCounts found{.all = std::ssize(tasks)};
  for (const std::int64_t task : tasks) {
    const Learns learns = adapter.learns(task);
    if (!learns.any()) continue;
    found.learns = learns;
    ++found.with_factors;
  }
  return found;
}

// Passes over the training samples besides training and Fisher, of a task on average: the loss for
// the secant scale, features for classifiers before and after the merge, or for a head alone, and
// the error budget's losses. Where a merge takes all of a task, as of the first one, features are
// the same and there is no rise to measure; without a Fisher, the loss before it is measured first.
struct ForwardPasses {
  double over_all = 0, over_measured = 0;  // over_measured: over the samples of the Fisher pass
};

ForwardPasses forward_passes(const RunConfig& config, const Method& method,
                             const TaskCounts& tasks) {
  const bool measures = method.needs_curvature();
  const double learning = tasks.learning(), first = 1 / static_cast<double>(tasks.all);
  const bool merges = !tasks.frozen() && method.merge->changes_trained();
  const bool takes_first = method.merge->known_alpha(0).value_or(1) == 1;
  const double moved = merges ? learning - (takes_first ? first : 0) : 0;
  ForwardPasses passes{.over_all = method.takes_features() ? 1 + moved : 1 - learning};
  const bool before = std::ranges::any_of(
      method.classifiers, [](const auto& one) { return one->takes_features_before(); });
  if (before && !tasks.frozen()) passes.over_all += learning - first;
  if (measures && method.curvature->needs_loss_before()) passes.over_measured += learning;
  if (config.error_budget && measures) passes.over_measured += moved;
  if (config.error_budget && !measures) passes.over_all += 2 * moved;
  return passes;
}

bool predicts_tokens(const Method& method) {
  return method.training.head->weights() == HeadWeights::kOfBackbone;
}

// What settings and model say; the samples are left.
Workload make_workload(const RunConfig& config, const BackboneConfig& backbone,
                       std::span<const std::int64_t> tasks, std::int64_t most_classes) {
  const Method method = make_method(config);
  const Adapter& adapter = *method.training.adapter;
  const TaskCounts counts = count_tasks(adapter, tasks);
  const Learns learns = counts.learns;
  const AdaptedLayout layout = adapted_layout(block_shape(backbone), adapter.targets());
  const Lanes lanes = make_lanes(config.lanes, 1);
  const ForwardPasses passes = forward_passes(config, method, counts);
  if (config.shard_memory) check_shards(config, method);
  Workload work{.model = model_shape(backbone),
                .rank = learns.any() ? adapter.rank() : 0,
                .adapted = layout.size(),
                .bf16 = config.precision == Precision::kBf16,
                .activation_checkpointing = config.activation_checkpointing,
                .can_shard = can_shard(method),
                .shard_memory = config.shard_memory,
                .tasks = counts.all,
                .most_classes = predicts_tokens(method) ? 0 : most_classes,
                .batch = config.batch,
                .lanes = lanes.count,
                .ordered = lanes.ordered,
                .learning = counts.learning(),
                .fisher = method.needs_curvature(),
                .fisher_backwards = method.curvature->backward_passes(most_classes),
                .forwards = passes.over_all,
                .measured_forwards = passes.over_measured};
  for (const AdaptedModule& module : layout.modules()) {
    ++work.modules;
    work.largest_module = std::max(work.largest_module, module.size());
    work.adapter += adapter.rank() * ((learns.b ? module.out : 0) + (learns.a ? module.in : 0));
  }
  if (!work.model.texts) work.image_side = config.image_transform.size;
  return work;
}

// With tasks of the same size, of which `most` is the largest, and so many classes in the end.
void count_classifier(const RunConfig& config, std::int64_t most, std::int64_t classes,
                      Workload& work) {
  const Method method = make_method(config);
  const std::int64_t width = work.model.width;
  const ClassifierCost cost = classifier_cost(method, most, width, classes);
  work.classifier_bytes = cost.bytes();
  work.classifier_kept = cost.kept_on_root + cost.kept_everywhere;
  const std::int64_t half = (classes + work.most_classes) / 2;  // are seen, on average
  const auto samples = static_cast<std::int64_t>(work.train_samples);
  work.classifier_operations = 2 * classifier_cost(method, samples, width, half).operations;
}

// The test samples of the evaluations before and after a task's merge.
std::int64_t tested_samples(const RunConfig& config, std::int64_t task, std::size_t tasks,
                            std::int64_t of_seen, std::int64_t of_task) {
  const auto tested = [&](bool before_merge) {
    const auto seen = static_cast<std::size_t>(task) + 1;
    return first_tested(config, seen, tasks, before_merge) == 0 ? of_seen : of_task;
  };
  return tested(true) + tested(false);
}

// Operations of the forward pass on so many tokens with so many predictions.
double forward_operations(Workload work, double tokens, double predictions) {
  work.mean_tokens = tokens;
  work.mean_predictions = predictions;
  return operations_per_sample(work).forward;
}

// Of writing a completion after each prompt, as long as the longest one.
double writing_operations(const Workload& work, const Pack& pack,
                          std::span<const std::int64_t> samples) {
  double operations = 0;
  std::int64_t longest = 1;
  for (const std::int64_t sample : samples) {
    const Completion last = pack.completions(sample).back();
    longest = std::max(longest, last.size());
    operations += forward_operations(work, static_cast<double>(last.begin), 1);
  }
  const auto written = static_cast<double>(std::ssize(samples) * (longest - 1));
  return operations + written * forward_operations(work, 1, 1);
}

// Of each prompt with each of the candidates.
double choice_operations(const Workload& work, const Pack& pack,
                         std::span<const std::int64_t> samples, const Task& task) {
  double operations = 0;
  const auto candidates = choice_candidates(pack, task);
  for (const std::int64_t sample : samples) {
    const std::int64_t prompt = pack.completions(sample).back().begin;
    for (const auto& candidate : candidates)
      operations += forward_operations(work, static_cast<double>(prompt + std::ssize(candidate)),
                                       static_cast<double>(candidate.size()));
  }
  return operations;
}

// The work on a decoder's test samples besides one pass over each, in training samples of average
// length: the text of --general in both evaluations of each task and once before the stream, and
// completions that are written for ROUGE-L, each as long as the task's longest one, or compared for
// a choice.
double tested_besides(const RunConfig& config, const Inputs& inputs, const Workload& work) {
  double operations = 0;
  if (inputs.general) {
    double text = 0;
    for (std::int64_t sample = 0; sample < inputs.general->size(); ++sample) {
      if (!inputs.general->is_test(sample)) continue;
      text += forward_operations(work, static_cast<double>(inputs.general->length(sample)),
                                 static_cast<double>(inputs.general->completion_tokens(sample)));
    }
    operations += (1 + 2 * static_cast<double>(work.tasks)) * text;
  }
  for (const Task& task : inputs.tasks) {
    double scored = 0;
    const auto samples_by = [&](AnswerScore score) {
      std::vector<std::int64_t> samples;
      for (const std::size_t place : scored_by(task, score))
        samples.push_back(task.test.samples[place]);
      return samples;
    };
    scored += writing_operations(work, inputs.pack, samples_by(AnswerScore::kRougeL));
    scored += choice_operations(work, inputs.pack, samples_by(AnswerScore::kChoice), task);
    for (std::int64_t newest = task.index; newest < std::ssize(inputs.tasks); ++newest) {
      if (inputs.tasks[static_cast<std::size_t>(newest)].is_past()) continue;
      for (const bool before_merge : {true, false})
        if (newest == task.index || first_tested(config, static_cast<std::size_t>(newest) + 1,
                                                 inputs.tasks.size(), before_merge) == 0)
          operations += scored;
    }
  }
  return operations / operations_per_sample(work).forward;
}

// A frozen backbone's features are made once, whatever the number of passes.
std::int64_t step_count(const RunConfig& config, const Workload& work, std::int64_t samples) {
  if (work.rank == 0 && predicts_tokens(make_method(config))) return 0;  // nothing learns
  BatchSettings batches = batch_settings(config);
  if (work.rank == 0) batches.passes = 1;
  return training_steps(batches, 0, samples);
}

}  // namespace

std::int64_t measured_samples(const Curvature& curvature, const Task& task) {
  if (curvature.samples_by_class() == 0) return task.train.size();
  std::vector<std::int64_t> by_class(task.classes.size());
  for (const std::int64_t target : task.train.targets) ++by_class[static_cast<std::size_t>(target)];
  std::int64_t measured = 0;
  for (const std::int64_t samples : by_class)
    measured += std::min(samples, curvature.samples_by_class());
  return measured;
}

ClassifierCost classifier_cost(const Method& method, std::int64_t samples, std::int64_t features,
                               std::int64_t classes) {
  ClassifierCost all;
  for (const auto& classifier : method.classifiers) {
    const ClassifierCost one =
        classifier->cost({.samples = samples, .features = features, .seen = classes});
    all.kept_on_root += one.kept_on_root;
    all.kept_everywhere += one.kept_everywhere;
    all.at_work = std::max(all.at_work, one.at_work);  // one after another
    all.operations += one.operations;
  }
  return all;
}

Workload make_workload(const RunConfig& config, const Inputs& inputs) {
  const auto* const vit = std::get_if<VitConfig>(&inputs.backbone);
  std::int64_t tokens = 0, predictions = 0, all_samples = 0, most_classes = 0;
  std::vector<std::int64_t> tasks;
  for (const Task& task : inputs.tasks) {
    if (task.is_past()) continue;  // learned before, from other data
    tasks.push_back(task.index);
    most_classes = std::max(most_classes, std::ssize(task.classes));
  }
  Workload work = make_workload(config, inputs.backbone, tasks, most_classes);
  const Method method = make_method(config);
  for (const Task& task : inputs.tasks) {
    if (task.is_past()) continue;
    work.steps += static_cast<double>(step_count(config, work, task.train.size()));
    work.train_samples += static_cast<double>(task.train.size());
    work.measured_samples += static_cast<double>(measured_samples(*method.curvature, task));
    all_samples += task.test.size();
    work.tested_samples += static_cast<double>(
        tested_samples(config, task.index, inputs.tasks.size(), all_samples, task.test.size()));
    for (const std::int64_t sample : task.train.samples) {
      const std::int64_t length = vit != nullptr ? image_tokens(*vit, config.image_transform.size)
                                                 : inputs.pack.length(sample);
      tokens += length;
      work.longest_tokens = std::max(work.longest_tokens, length);
      if (!predicts_tokens(method)) continue;
      predictions += inputs.pack.completion_tokens(sample);
      work.most_predictions =
          std::max(work.most_predictions, inputs.pack.completion_tokens(sample));
    }
  }
  work.mean_tokens = static_cast<double>(tokens) / work.train_samples;
  work.mean_predictions = static_cast<double>(predictions) / work.train_samples;
  if (work.most_predictions > 0) work.tested_besides = tested_besides(config, inputs, work);
  for (double* const of_all : {&work.steps, &work.train_samples, &work.measured_samples,
                               &work.tested_samples, &work.tested_besides})
    *of_all /= static_cast<double>(work.tasks);
  const std::int64_t largest = std::ranges::max(inputs.tasks, {}, [](const Task& task) {
                                 return task.train.size();
                               }).train.size();
  count_classifier(config, largest, classes_seen(inputs.tasks, config.scenario).count(), work);
  return work;
}

Workload make_workload(const RunConfig& config, const SketchedStream& stream) {
  const BackboneConfig backbone = shape_without_weights(stream.shape);
  const auto* const vit = std::get_if<VitConfig>(&backbone);
  const bool texts = takes_texts(backbone);
  if (texts && stream.tokens == 0)
    throw UsageError(
        concat("--shape ", stream.shape, " reads texts: give the tokens of a text with --tokens"));
  if (texts && stream.tokens > text_limits(backbone).positions)
    throw UsageError(concat("--tokens ", stream.tokens, ": ", stream.shape,
                            " takes texts of up to ", text_limits(backbone).positions, " tokens"));
  const bool predicts = predicts_tokens(make_method(config));
  if (stream.completion_tokens > 0 && !predicts)
    throw UsageError(concat("--completion-tokens ", stream.completion_tokens,
                            " is for a decoder that predicts tokens: leave it out, or give "
                            "--config configs/methods/next-token.cfg"));
  if (predicts && texts && stream.tokens < 2)
    throw UsageError("--tokens: expected at least 2, a prompt and a predicted token");
  if (predicts && texts && stream.completion_tokens >= stream.tokens)
    throw UsageError(concat("--completion-tokens ", stream.completion_tokens,
                            ": expected less than the --tokens of a sample, ", stream.tokens));
  if (vit != nullptr && config.image_transform.size % vit->patch != 0)
    throw UsageError(concat("image-transform size ", config.image_transform.size,
                            ": expected a multiple of the patch, ", vit->patch, " pixels"));
  std::vector<std::int64_t> tasks(static_cast<std::size_t>(stream.tasks));
  std::iota(tasks.begin(), tasks.end(), 0);
  Workload work = make_workload(config, backbone, tasks, stream.classes);
  work.train_samples = static_cast<double>(stream.train_samples);
  const std::int64_t by_class = make_method(config).curvature->samples_by_class();
  work.measured_samples =
      by_class == 0 ? work.train_samples
                    : std::min(work.train_samples, static_cast<double>(by_class * stream.classes));
  work.steps = static_cast<double>(step_count(config, work, stream.train_samples));
  work.longest_tokens =
      vit != nullptr ? image_tokens(*vit, config.image_transform.size) : stream.tokens;
  work.mean_tokens = static_cast<double>(work.longest_tokens);
  if (predicts) {
    if (work.model.output == 0)
      throw UsageError(concat("--shape ", stream.shape,
                              " is an encoder; objective = next-token needs a decoder"));
    work.most_predictions =
        stream.completion_tokens > 0 ? stream.completion_tokens : stream.tokens - 1;
    work.mean_predictions = static_cast<double>(work.most_predictions);
  }
  count_classifier(config, stream.train_samples,
                   shares_head(config.scenario) ? stream.classes : stream.tasks * stream.classes,
                   work);
  return work;
}

}  // namespace palimpsest
