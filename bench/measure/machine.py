"""What the figures were measured on, and with which versions."""

import importlib.metadata
import os
import pathlib
import platform
import re
import subprocess

from .inputs import ROOT

PACKAGES = ("torch", "transformers", "timm", "peft", "numpy")
RELEVANT_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of the processor's flags


def _first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    except OSError:
        return ""
    return done.stdout.split("\n")[0].strip() if done.returncode == 0 else ""


def _processor():
    fields = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


def _flags():
    return set(_processor()["flags"].split())


def has_bf16():
    return bool({"avx512_bf16", "amx_bf16"} & _flags())


def has_amx():
    return "amx_bf16" in _flags()


def commit():
    """The revision of the source, with a plus where files of it were changed; in a copy without git, PALIMPSEST_COMMIT."""
    changed = _first_line("git", "status", "--porcelain", "--untracked-files=no")
    revision = _first_line("git", "rev-parse", "--short=12", "HEAD")
    return revision + ("+" if changed else "") if revision else os.environ.get("PALIMPSEST_COMMIT") or _bundled_commit()


def _bundled_commit():
    """Of the tree in which the bundle was made, which need not be this one."""
    contents = ROOT / ".cache" / "offline" / "contents.txt"
    found = re.search(r"^commit (.*)$", contents.read_text(), re.MULTILINE) if contents.exists() else None
    return f"unknown; the bundle was made at {found[1]}" if found else "unknown"


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def gpu():
    """Of the first device, its driver and what was compiled for it."""
    import torch

    fields = _first_line("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader").split(", ")
    found = dict(zip(("gpu", "driver", "gpu_memory"), fields))
    found |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    if torch.cuda.is_available():
        found["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))
    for name, command in (("compiler", "c++"), ("cmake", "cmake")):
        found[name] = _first_line(command, "--version")
    return found


def describe():
    processor = _processor()
    flags = _flags()
    return {
        "processor": processor["model name"],
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [flag for flag in RELEVANT_FLAGS if flag in flags],
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9),
        "gpu": _first_line("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        "system": platform.platform(),
        "commit": commit(),
        "mpi": _first_line("mpirun", "--version"),
        "python": platform.python_version(),
        **{name: version_of(name) for name in PACKAGES},
    }
