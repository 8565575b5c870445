#include "other_programs.h"

#include <algorithm>
#include <cctype>
#include <span>

#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {
namespace {

struct Name {
  std::string_view name, here;
};

// Of PyTorch scripts, the Trainer of transformers, PEFT, timm and torchrun.
constexpr Name kNames[] = {
    {"accelerator", "--device cuda or --device cpu"},
    {"amp", "--precision bf16"},
    {"batch-size", "--batch N, of all ranks together"},
    {"bf16", "--precision bf16"},
    {"checkpoint-dir", "--out FOLDER"},
    {"color-jitter", "--augmentation KIND"},
    {"data", "--pack FILE"},
    {"dataset", "--pack FILE"},
    {"dtype", "--precision fp32 or --precision bf16"},
    {"eval-batch-size", "--evaluation-batch N"},
    {"fp16", "--precision bf16; there is no float16"},
    {"deepspeed", "--shard-memory for what merging needs; the backbone itself isn't sharded"},
    {"fsdp", "--shard-memory for what merging needs; the backbone itself isn't sharded"},
    {"gpus", "start as many ranks as GPUs: launch/mpirun.sh -n N palimpsest ..."},
    {"data-dir", "--pack FILE"},
    {"grad-clip", "--clip-norm X"},
    {"gradient-accumulation-steps", "--lanes N: a batch is computed in N parts"},
    {"gradient-checkpointing", "--activation-checkpointing"},
    {"learning-rate", "--lr X"},
    {"lora-r", "write the key rank of --adapter"},
    {"lr-scheduler", "--schedule KIND"},
    {"lr-scheduler-type", "--schedule KIND"},
    {"local-rank", "not needed: MPI numbers the ranks"},
    {"max-steps", "--epochs N"},
    {"max-grad-norm", "--clip-norm X"},
    {"mixed-precision", "--precision bf16"},
    {"model", "--backbone FOLDER"},
    {"model-name-or-path", "--backbone FOLDER"},
    {"nodes", "use launch/slurm/many-nodes.sbatch"},
    {"nproc-per-node", "start as many ranks as GPUs: launch/mpirun.sh -n N palimpsest ..."},
    {"num-epochs", "--epochs N"},
    {"num-gpus", "start as many ranks as GPUs: launch/mpirun.sh -n N palimpsest ..."},
    {"num-tasks", "--tasks N"},
    {"num-train-epochs", "--epochs N"},
    {"num-workers", "not needed: samples are read ahead without worker processes"},
    {"optimizer", "not needed: the optimizer is AdamW, with --lr and --weight-decay"},
    {"output", "--out FOLDER"},
    {"output-dir", "--out FOLDER"},
    {"per-device-eval-batch-size", "--evaluation-batch N"},
    {"per-device-train-batch-size", "--batch N, of all ranks together"},
    {"pretrained", "--backbone FOLDER"},
    {"random-seed", "--seed N"},
    {"rank", "write the key rank of --adapter"},
    {"init-from", "--continue RUN, or --fork RUN"},
    {"load", "--continue RUN, or --fork RUN"},
    {"resume-from-checkpoint", "--resume auto"},
    {"run-name", "--out FOLDER"},
    {"save-dir", "--out FOLDER"},
    {"save-steps", "--checkpoint-every N"},
    {"target-modules", "write the key targets of --adapter"},
    {"train-batch-size", "--batch N, of all ranks together"},
    {"use-cpu", "--device cpu"},
    {"warmup", "write the key warmup of --schedule, in steps"},
    {"warmup-ratio", "write the key warmup of --schedule, in steps"},
    {"workers", "not needed: samples are read ahead without worker processes"},
    {"world-size", "start as many ranks: launch/mpirun.sh -n N palimpsest ..."},
    {"wd", "--weight-decay X"},
};

struct Value {
  std::string_view setting, value, here;
};

// Kinds of parts and their keys have other names in their rows.
constexpr Value kValues[] = {
    {"device", "gpu", "cuda"},
    {"key of device", "0", "device = cuda; CUDA_VISIBLE_DEVICES chooses the GPU"},
    {"key of device", "1", "device = cuda; CUDA_VISIBLE_DEVICES chooses the GPU"},
    {"precision", "fp16", "bf16; there is no float16"},
    {"precision", "float16", "bf16; there is no float16"},
    {"precision", "half", "bf16; there is no float16"},
    {"precision", "bfloat16", "bf16"},
    {"precision", "float32", "fp32"},
    {"precision", "32", "fp32"},
    {"precision", "16", "bf16; there is no float16"},
    {"pooling", "cls", "class"},
    {"pooling", "avg", "mean"},
    {"resume", "true", "auto"},
    {"resume", "false", "never"},
    {"scenario", "cil", "class-incremental"},
    {"scenario", "til", "task-incremental"},
    {"scenario", "dil", "domain-incremental"},
    {"schedule", "step", "multistep"},
    {"schedule", "none", "constant"},
};

std::string as_usual(std::string_view name) {
  std::string usual;
  for (const char letter : name)
    usual +=
        letter == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return usual;
}

}  // namespace

std::optional<std::string> setting_of_other_programs(std::string_view name, bool trains) {
  const auto found = std::ranges::find(kNames, name, &Name::name);
  if (found == std::end(kNames)) return std::nullopt;
  if (!trains && found->here.starts_with("--batch")) return "write --evaluation-batch N";
  return concat(found->here.starts_with("--") ? "write " : "", found->here);
}

std::optional<std::string> value_of_other_programs(const SettingSpec& row, std::string_view value) {
  const auto hint = [](std::string_view written, std::string_view here) {
    return concat("'", written, "' is not known here. Write ", here);
  };
  const auto in_table = [&](const std::string& setting, std::string_view written) {
    return std::ranges::find_if(kValues, [&, word = as_usual(written)](const Value& known) {
      return known.setting == setting && known.value == word;
    });
  };
  const std::span<const Kind> kinds =
      row.kinds == nullptr ? std::span<const Kind>() : std::span(row.kinds->kinds);
  for (const std::string& text : kinds_in(value)) {
    const std::string_view written = kind_in(text);
    if (const auto known = in_table(std::string(row.name), written); known != std::end(kValues))
      return hint(written, known->here);
    for (const Kind& kind : kinds) {
      const auto other = std::ranges::find(kind.other_names, as_usual(written), &OtherName::name);
      if (other != kind.other_names.end()) return hint(written, other->text);
    }
    for (const KeyText& key : keys_in(text)) {
      const auto known = in_table(concat("key of ", row.name), key.key);
      if (known != std::end(kValues)) return hint(key.key, known->here);
      for (const Kind& kind : kinds)
        for (const SettingSpec& spec : kind.keys)
          if (std::ranges::find(spec.other_names, as_usual(key.key)) != spec.other_names.end())
            return hint(key.key, spec.name);
    }
  }
  return std::nullopt;
}

}  // namespace palimpsest
