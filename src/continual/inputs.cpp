#include "palimpsest/continual/inputs.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/format/protocol.h"

namespace palimpsest {

namespace {

std::string hash_of(const std::vector<Task>& tasks) {
  Sha256 hash;
  const auto add = [&](const LabelledSamples& split) {
    hash.update(std::as_bytes(std::span(split.samples)));
    hash.update(std::as_bytes(std::span(split.targets)));
  };
  for (const Task& task : tasks) {
    hash.update(concat(task.name, '\0', task.classes.size(), '\0'));
    for (const std::string& name : task.classes) hash.update(name + '\0');
    add(task.train);
    add(task.test);
  }
  return hash.hex();
}

std::string hash_of(const BertConfig& shape) {
  return sha256(concat(shape.hidden, ' ', shape.layers, ' ', shape.heads, ' ', shape.intermediate,
                       ' ', shape.vocabulary, ' ', shape.positions, ' ', shape.type_vocabulary, ' ',
                       shape.layer_norm_epsilon, ' ', shape.hidden_act));
}

}  // namespace

Inputs open_inputs(const RunConfig& config) {
  const std::filesystem::path folder = std::filesystem::path(config.backbone) / "";
  Inputs inputs{.pack = Pack(config.pack),
                .tasks = {},
                .backbone = read_bert_config(folder / "config.json"),
                .backbone_name = folder.parent_path().filename().string(),
                .backbone_sha256 = sha256_of_file(folder / "model.safetensors"),
                .tasks_sha256 = {},
                .shape_sha256 = {}};
  if (inputs.pack.vocabulary() > inputs.backbone.vocabulary ||
      inputs.pack.longest() > inputs.backbone.positions) {
    throw InputError(concat(config.pack, " has token ids below ", inputs.pack.vocabulary(),
                            " and texts of up to ", inputs.pack.longest(), " tokens; the backbone ",
                            config.backbone, " takes ids below ", inputs.backbone.vocabulary,
                            " and ", inputs.backbone.positions,
                            " tokens: pack with the backbone's own tokenizer"));
  }
  inputs.tasks = make_tasks(inputs.pack, read_protocol(config.protocol));
  const auto wanted = static_cast<std::size_t>(config.tasks);
  if (wanted > inputs.tasks.size()) {
    throw UsageError(
        concat("--tasks ", wanted, ", but ", config.protocol, " has ", inputs.tasks.size()));
  }
  if (wanted > 0) inputs.tasks.erase(inputs.tasks.begin() + config.tasks, inputs.tasks.end());
  for (const Task& task : inputs.tasks)
    training_steps(config, task.index, task.train.size());  // refused before any runs
  inputs.tasks_sha256 = hash_of(inputs.tasks);
  inputs.shape_sha256 = hash_of(inputs.backbone);
  return inputs;
}

Lanes lanes_of(const RunConfig& config, int world_size) {
  if (config.lanes == "ranks") return {.count = world_size, .ordered = false};
  const Lanes lanes{.count = std::stoll(config.lanes), .ordered = true};
  if (lanes.count < world_size) {
    throw UsageError(concat(world_size, " ranks, but only ", lanes.count,
                            " lanes: a rank would have no work. Start at most as many ranks as "
                            "lanes, or raise --lanes"));
  }
  return lanes;
}

}  // namespace palimpsest
