#include "palimpsest/session/inputs.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/format/protocol.h"

namespace palimpsest {

namespace {

void check_texts(const RunConfig& config, const Pack& pack, const TextLimits& backbone) {
  if (pack.vocabulary() <= backbone.vocabulary && pack.longest() <= backbone.positions) return;
  throw InputError(concat(pack.path().string(), " has token ids below ", pack.vocabulary(),
                          " and texts of up to ", pack.longest(), " tokens; the backbone ",
                          config.backbone, " takes ids below ", backbone.vocabulary, " and ",
                          backbone.positions, " tokens: pack with the backbone's own tokenizer"));
}

// A pack doesn't name its tokenizer; that it is another one shows in their numbers of tokens.
std::string remark_on_tokenizer(const RunConfig& config, const Pack& pack) {
  const std::optional<std::int64_t> own = tokenizer_size(config.backbone);
  if (!own || *own == pack.vocabulary()) return "";
  return concat(pack.path().string(), " was packed with a tokenizer of ",
                grouped(pack.vocabulary()), " tokens, and that of ", config.backbone, " has ",
                grouped(*own), ": token ids then mean other words. Pack again with --tokenizer ",
                config.backbone);
}

// A first run often lacks its inputs.
void check_there(const std::filesystem::path& path, std::string_view what,
                 std::string_view page = "docs/your-data.md") {
  if (std::error_code error; std::filesystem::exists(path, error) || error) return;
  constexpr std::string_view kMade[] = {"debian-sections", "wordnet", "openclipart", "glyphs",
                                        "instructions"};
  const std::string name = path.stem();
  const bool is_made = std::ranges::find(kMade, name) != std::end(kMade);
  const std::string place =
      path.is_relative() ? concat(" (in ", std::filesystem::current_path().string(), ")") : "";
  throw InputError(concat(path.string(), ": expected ", what, ", found nothing there", place, ". ",
                          is_made ? concat("launch/data.sh ", name, " makes it")
                                  : concat(page, " says how to make it")));
}

BackboneChoice backbone_choice(const RunConfig& config, std::span<const std::string> targets,
                               const BackboneConfig& backbone) {
  BackboneChoice choice{
      .targets = {targets.begin(), targets.end()},
      .image_size = config.image_transform.size,
      .precision = config.precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat,
      .activation_checkpointing = config.activation_checkpointing};
  if (const auto* vit = std::get_if<VitConfig>(&backbone)) {
    choice.mean_pooling =
        config.pooling == Pooling::kAuto ? vit->mean_pooling : config.pooling == Pooling::kMean;
  } else if (std::holds_alternative<LlamaConfig>(backbone)) {
    choice.mean_pooling = config.pooling == Pooling::kMean;
  }
  return choice;
}

ImageTransform make_transform(const RunConfig& config, const VitConfig& backbone) {
  const ImageSettings& image = config.image_transform;
  const bool as_backbone = image.interpolation == Interpolation::kAuto;
  ImageTransform transform{.size = image.size,
                           .interpolation = as_backbone ? backbone.interpolation
                                                        : std::string(name(image.interpolation)),
                           .mean = backbone.mean,
                           .deviation = backbone.deviation,
                           .crop_share = image.crop == 0 ? backbone.crop_share : image.crop,
                           .squash = image.squash,
                           .augmentation = config.augmentation};
  if (image.normalisation == Normalisation::kNone) {
    transform.mean = {0, 0, 0};
    transform.deviation = {1, 1, 1};
  }
  return transform;
}

}  // namespace

std::string hash_contents(std::span<const Task> tasks) {
  Sha256 hash;
  const auto add = [&](const LabelledSamples& split) {
    hash.update(std::as_bytes(std::span(split.samples)));
    hash.update(std::as_bytes(std::span(split.targets)));
  };
  for (const Task& task : tasks) {
    hash.update(concat(task.name, '\0', task.classes.size(), '\0'));
    for (std::size_t c = 0; c < task.classes.size(); ++c) {
      hash.update(task.classes[c] + '\0');
      const AnswerScore score = task.score(static_cast<std::int64_t>(c));
      if (score != AnswerScore::kExactMatch) hash.update(concat(name(score), '\0'));
    }
    add(task.train);
    add(task.test);
  }
  return hash.hex();
}

Inputs open_pack_and_backbone(const RunConfig& config, std::span<const std::string> targets) {
  const std::filesystem::path folder = std::filesystem::path(config.backbone) / "";
  check_there(config.pack, "a pack");
  check_there(config.backbone, "the folder of a backbone", "docs/your-backbone.md");
  Pack pack(config.pack);
  auto weights = std::make_shared<const PretrainedWeights>(folder);
  const BackboneConfig backbone = read_backbone_config(folder, *weights);
  if (takes_texts(backbone) != pack.has_texts()) {
    throw InputError(concat(config.pack, " has ", pack.has_texts() ? "texts" : "images",
                            ", but the backbone ", config.backbone, " takes ",
                            takes_texts(backbone) ? "texts" : "images",
                            ": give a pack and a backbone of one kind"));
  }
  Inputs inputs{.pack = std::move(pack),
                .weights = std::move(weights),
                .backbone = backbone,
                .choice = backbone_choice(config, targets, backbone),
                .backbone_name = folder.parent_path().filename().string(),
                .shape_sha256 = sha256(describe(backbone))};
  inputs.choice.predicts_tokens = inputs.pack.has_completions();
  if (inputs.pack.has_completions() && !std::holds_alternative<LlamaConfig>(backbone)) {
    throw InputError(concat(
        config.pack, " has prompts with completions, which a decoder predicts; ", config.backbone,
        " is an encoder: give the folder of a decoder (Llama, "
        "Mistral, Qwen2, Qwen3, SmolLM2)"));
  }
  for (const std::string& remark : {inputs.weights->remark(), remark_on_config(folder)}) {
    if (!remark.empty()) inputs.remarks.push_back(remark);
  }
  inputs.backbone_sha256 = inputs.weights->sha256();
  if (const auto* vit = std::get_if<VitConfig>(&backbone)) {
    inputs.transform = make_transform(config, *vit);
  } else {
    check_texts(config, inputs.pack, text_limits(backbone));
    if (const std::string remark = remark_on_tokenizer(config, inputs.pack); !remark.empty())
      inputs.remarks.push_back(remark);
  }
  return inputs;
}

namespace {

void open_general(const RunConfig& config, Inputs& inputs) {
  if (config.general.empty()) return;
  if (std::error_code error; !std::filesystem::exists(config.general, error) && !error) {
    throw InputError(concat(config.general,
                            ": expected a pack of sequences (general), found nothing there: give "
                            "--general, or --general \"\" to go without it"));
  }
  const Pack& pack = inputs.general.emplace(config.general);
  if (!inputs.pack.has_completions() || !pack.has_completions()) {
    throw UsageError(concat(
        "general = ", config.general, ", of kind ", pack.kind(), ", and pack = ", config.pack,
        ", of kind ", inputs.pack.kind(),
        ": both must be packs of sequences (palimpsest pack chat). Leave general out otherwise"));
  }
  check_texts(config, pack, text_limits(inputs.backbone));
  if (const std::string remark = remark_on_tokenizer(config, pack); !remark.empty())
    inputs.remarks.push_back(remark);
  for (std::int64_t sample = 0; sample < pack.size(); ++sample)
    if (pack.is_test(sample)) return;
  throw InputError(
      concat(config.general,
             ": expected test samples, found only training samples: pack it with a test share"));
}

}  // namespace

Inputs open_inputs(const RunConfig& config, std::span<const std::string> targets) {
  Inputs inputs = open_pack_and_backbone(config, targets);
  open_general(config, inputs);
  check_there(config.protocol, "a protocol");
  const Protocol protocol = read_protocol(config.protocol);
  for (const std::string& remark : remarks_on(protocol, inputs.pack.content_sha256()))
    inputs.remarks.push_back(remark);
  inputs.tasks = make_tasks(inputs.pack, protocol, config.validation);
  inputs.test_per_class = protocol.test_per_class;
  check_scenario(inputs.tasks, config.scenario, config.protocol);
  inputs.has_task_score = has_task_score(inputs.tasks);
  if (inputs.has_task_score)
    check_choices(inputs.pack, inputs.tasks, text_limits(inputs.backbone).positions,
                  config.protocol);
  const auto wanted = static_cast<std::size_t>(config.tasks);
  if (wanted > inputs.tasks.size()) {
    throw UsageError(
        concat("--tasks ", wanted, ", but ", config.protocol, " has ", inputs.tasks.size()));
  }
  if (wanted > 0) inputs.tasks.erase(inputs.tasks.begin() + config.tasks, inputs.tasks.end());
  if (config.joint) inputs.tasks = {joint_task(inputs.tasks)};
  for (const Task& task : inputs.tasks)
    training_steps(batch_settings(config), task.index,
                   task.train.size());  // refused before any runs
  inputs.tasks_sha256 = hash_contents(inputs.tasks);
  return inputs;
}

}  // namespace palimpsest
