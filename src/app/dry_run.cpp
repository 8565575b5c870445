#include "dry_run.h"

#include <algorithm>
#include <sstream>

#include "palimpsest/continual/inputs.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/model/backbone.h"
#include "palimpsest/plan/cost.h"
#include "palimpsest/report/readable.h"

namespace palimpsest {
namespace {

std::int64_t tokens_of(const RunConfig& config, const Inputs& inputs, std::int64_t sample) {
  const auto* vit = std::get_if<VitConfig>(&inputs.backbone);
  return vit != nullptr ? image_tokens(*vit, config.image_size)
                        : std::ssize(inputs.pack.tokens(sample));
}

std::int64_t longest_of(const RunConfig& config, const Inputs& inputs) {
  const auto* vit = std::get_if<VitConfig>(&inputs.backbone);
  return vit != nullptr ? image_tokens(*vit, config.image_size) : inputs.pack.longest();
}

}  // namespace

std::string dry_run(const RunConfig& config, int world_size) {
  const Inputs inputs = open_inputs(config);
  const ModelShape model = model_shape(inputs.backbone);
  const AdaptedLayout layout = adapted_layout(block_shape(inputs.backbone), config.lora_targets);
  const Lanes lanes = lanes_of(config, world_size);
  std::int64_t steps = 0, samples = 0, tokens = 0, most_classes = 0;
  for (const Task& task : inputs.tasks) {
    steps += training_steps(config, task.index, task.train.size());
    samples += config.epochs * config.passes_per_epoch * task.train.size();
    most_classes = std::max(most_classes, std::ssize(task.classes));
    for (const std::int64_t sample : task.train.samples) {
      tokens += config.epochs * config.passes_per_epoch * tokens_of(config, inputs, sample);
    }
  }
  const std::int64_t rank = config.adapter == "none" ? 0 : config.lora_rank;
  const TrainingShape training{.rank = rank,
                               .classes = most_classes,
                               .lanes = std::ssize(lanes.of(0, world_size)),
                               .lane_samples = (config.batch + lanes.count - 1) / lanes.count,
                               .tokens = longest_of(config, inputs)};
  const ParameterCounts parameters = parameter_counts(model, layout, training);
  const MemoryEstimate memory = memory_estimate(model, layout, training);
  const double mean_tokens = static_cast<double>(tokens) / static_cast<double>(samples);
  const double operations = static_cast<double>(samples) *
                            training_operations_per_sample(
                                model, layout, rank, static_cast<std::int64_t>(mean_tokens + 0.5));

  std::ostringstream out;
  out << "Would train " << inputs.tasks.size() << " tasks over " << world_size << " ranks and "
      << lanes.count << " lanes, into " << config.out << "; nothing was run.\n\n"
      << text_table(
             {{"pack", config.pack + " (content " + short_hash(inputs.pack.content_sha256()) + ")"},
              {"backbone",
               config.backbone + " (SHA-256 " + short_hash(inputs.backbone_sha256) + ")"},
              {"adapted weights",
               grouped(parameters.adapted) + " of " + grouped(parameters.backbone)},
              {"trained per task", grouped(parameters.trained())},
              {"steps", grouped(steps) + " of up to " + grouped(config.batch) + " samples"},
              {"samples", grouped(samples) + ", " + fixed(mean_tokens, 1) + " tokens each"},
              {"training work", fixed(operations / 1e12, 1) + " TFLOP"},
              {"memory, rank 0", byte_count(memory.total()) + ": weights " +
                                     byte_count(memory.weights) + ", adapted " +
                                     byte_count(memory.adapted) + ", optimizer " +
                                     byte_count(memory.optimizer) + ","},
              {"", "activations " + byte_count(memory.activations) + ", Fisher " +
                       byte_count(memory.fisher) + ", curvature " + byte_count(memory.curvature)}},
             "ll")
      << "\n";
  std::vector<std::vector<std::string>> rows{{"task", "classes", "train", "test", ""}};
  for (const Task& task : inputs.tasks) {
    std::string names;
    for (const std::string& name : task.classes) names += (names.empty() ? "" : ", ") + name;
    rows.push_back({task.name, grouped(std::ssize(task.classes)), grouped(task.train.size()),
                    grouped(task.test.size()), wrap(names, 100, 36, 36)});
  }
  out << text_table(rows, "lrrrl");
  return out.str();
}

}  // namespace palimpsest
