#include "field_names.h"

#include <algorithm>

namespace palimpsest {
namespace {

// Of PyTorch scripts, the Trainer of transformers, PEFT, timm and torchrun.
constexpr FieldName kNames[] = {
    {"accelerator", "--device cuda or --device cpu"},
    {"amp", "--precision bf16"},
    {"batch-size", "--batch N, of all ranks together"},
    {"bf16", "--precision bf16"},
    {"checkpoint-dir", "--out FOLDER"},
    {"color-jitter", "--augmentation rand-augment or auto-augment"},
    {"data", "--pack FILE"},
    {"dataset", "--pack FILE"},
    {"dtype", "--precision fp32 or --precision bf16"},
    {"eval-batch-size", "--evaluation-batch N"},
    {"fp16", "--precision bf16; there is no float16"},
    {"fsdp", "--shard-memory"},
    {"gpus", "as many ranks as GPUs: mpirun -n N palimpsest train ..."},
    {"grad-clip", "--clip-norm X"},
    {"gradient-accumulation-steps", "--lanes N: a batch is computed in N parts"},
    {"gradient-checkpointing", "--activation-checkpointing"},
    {"learning-rate", "--lr X"},
    {"lora-alpha", "--adapter lora:alpha=N"},
    {"lora-r", "--adapter lora:rank=N"},
    {"lora-rank", "--adapter lora:rank=N"},
    {"lr-scheduler", "--schedule KIND"},
    {"lr-scheduler-type", "--schedule KIND"},
    {"max-grad-norm", "--clip-norm X"},
    {"mixed-precision", "--precision bf16"},
    {"model", "--backbone FOLDER"},
    {"model-name-or-path", "--backbone FOLDER"},
    {"nproc-per-node", "as many ranks as GPUs: mpirun -n N palimpsest train ..."},
    {"num-epochs", "--epochs N"},
    {"num-gpus", "as many ranks as GPUs: mpirun -n N palimpsest train ..."},
    {"num-train-epochs", "--epochs N"},
    {"num-workers", "--device cpu:threads=N"},
    {"output", "--out FOLDER"},
    {"output-dir", "--out FOLDER"},
    {"per-device-eval-batch-size", "--evaluation-batch N"},
    {"per-device-train-batch-size", "--batch N, of all ranks together"},
    {"pretrained", "--backbone FOLDER"},
    {"random-seed", "--seed N"},
    {"rank", "--adapter lora:rank=N"},
    {"resume-from-checkpoint", "--resume auto"},
    {"run-name", "--out FOLDER"},
    {"save-dir", "--out FOLDER"},
    {"save-steps", "--checkpoint-every N"},
    {"target-modules", "--adapter lora:targets=query+value"},
    {"train-batch-size", "--batch N, of all ranks together"},
    {"use-cpu", "--device cpu"},
    {"warmup-ratio", "--schedule cosine:warmup=X"},
    {"warmup-steps", "--schedule cosine:warmup=X"},
    {"wd", "--weight-decay X"},
};

}  // namespace

std::optional<FieldName> find_field_name(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &FieldName::name);
  return found == std::end(kNames) ? std::nullopt : std::optional(*found);
}

}  // namespace palimpsest
