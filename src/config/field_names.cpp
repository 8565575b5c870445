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
    {"color-jitter", "--augmentation KIND"},
    {"data", "--pack FILE"},
    {"dataset", "--pack FILE"},
    {"dtype", "--precision fp32 or --precision bf16"},
    {"eval-batch-size", "--evaluation-batch N"},
    {"fp16", "--precision bf16; there is no float16"},
    {"deepspeed", "--shard-memory for what merging needs; the backbone itself isn't sharded"},
    {"fsdp", "--shard-memory for what merging needs; the backbone itself isn't sharded"},
    {"gpus", "as many ranks as GPUs: launch/mpirun.sh -n N palimpsest train ..."},
    {"data-dir", "--pack FILE"},
    {"grad-clip", "--clip-norm X"},
    {"gradient-accumulation-steps", "--lanes N: a batch is computed in N parts"},
    {"gradient-checkpointing", "--activation-checkpointing"},
    {"learning-rate", "--lr X"},
    {"lora-r", "the key rank of --adapter"},
    {"lr-scheduler", "--schedule KIND"},
    {"lr-scheduler-type", "--schedule KIND"},
    {"local-rank", "not needed: MPI numbers the ranks"},
    {"max-steps", "--epochs N"},
    {"max-grad-norm", "--clip-norm X"},
    {"mixed-precision", "--precision bf16"},
    {"model", "--backbone FOLDER"},
    {"model-name-or-path", "--backbone FOLDER"},
    {"nodes", "launch/slurm/many-nodes.sbatch"},
    {"nproc-per-node", "as many ranks as GPUs: launch/mpirun.sh -n N palimpsest train ..."},
    {"num-epochs", "--epochs N"},
    {"num-gpus", "as many ranks as GPUs: launch/mpirun.sh -n N palimpsest train ..."},
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
    {"rank", "the key rank of --adapter"},
    {"resume-from-checkpoint", "--resume auto"},
    {"run-name", "--out FOLDER"},
    {"save-dir", "--out FOLDER"},
    {"save-steps", "--checkpoint-every N"},
    {"target-modules", "the key targets of --adapter"},
    {"train-batch-size", "--batch N, of all ranks together"},
    {"use-cpu", "--device cpu"},
    {"warmup", "the key warmup of --schedule, in steps"},
    {"warmup-ratio", "the key warmup of --schedule, in steps"},
    {"workers", "not needed: samples are read ahead without worker processes"},
    {"world-size", "as many ranks: launch/mpirun.sh -n N palimpsest train ..."},
    {"wd", "--weight-decay X"},
};

}  // namespace

std::optional<FieldName> find_field_name(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &FieldName::name);
  return found == std::end(kNames) ? std::nullopt : std::optional(*found);
}

}  // namespace palimpsest
