"""The settings of the peers, as those of `palimpsest train` or as the keys of its parts, and what a good user of PyTorch may switch on."""

import argparse
import math
import os

import torch
import torch.distributed as dist


def parser(description):
    made = argparse.ArgumentParser(description=description)
    for name in ("pack", "protocol", "backbone", "out"):
        made.add_argument(f"--{name}", required=True)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--tasks", type=int, default=0, help="0: all")
    made.add_argument("--image-size", type=int, default=224)
    made.add_argument("--epochs", type=int, default=10)
    made.add_argument("--batch", type=int, default=256, help="over all ranks together")
    made.add_argument("--lora-rank", type=int, default=10)
    made.add_argument("--lr", type=float, default=1e-3)
    made.add_argument("--head-lr", type=float, default=1e-2)
    made.add_argument("--weight-decay", type=float, default=0.0)
    made.add_argument("--perturbation", choices=("sign", "none"), default="sign")
    made.add_argument("--epsilon", type=float, default=0.5)
    made.add_argument("--evaluation-batch", type=int, default=64)
    made.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="bf16: autocast")
    made.add_argument("--compile", action="store_true", help="torch.compile")
    made.add_argument("--fused", action="store_true", help="one kernel for AdamW; always on a GPU")
    made.add_argument("--onednn", action="store_true", help="let oneDNN multiply fp32 matrices")
    made.add_argument("--packed", action="store_true", help="of sequences: no padding, and as many tokens on each rank")
    return made


def multiplies_in_bf16():
    """With AMX, oneDNN takes the switch at its word; elsewhere it computes in fp32."""
    with open("/proc/cpuinfo") as file:
        return "amx_bf16" in file.read()


def start(settings):
    """Joins the ranks that torchrun started; returns the device of this one."""
    torch.set_num_threads(settings.threads)
    if settings.onednn and not multiplies_in_bf16():
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    on_gpu = settings.device == "cuda"
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = False
    dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
    return device


def epsilon(settings):
    return settings.epsilon if settings.perturbation == "sign" else 0.0


def optimizer(settings, adapter, head):
    return torch.optim.AdamW(
        [{"params": adapter, "lr": settings.lr}, {"params": head, "lr": settings.head_lr}],
        weight_decay=settings.weight_decay,
        fused=settings.fused or settings.device == "cuda" or None,
    )


def cosine(made, steps):
    """Both learning rates to zero over a task."""
    return torch.optim.lr_scheduler.LambdaLR(made, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))


def autocast(settings):
    return torch.autocast(settings.device, torch.bfloat16, enabled=settings.precision == "bf16")
