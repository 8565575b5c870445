"""What the figures were measured on, and with which versions."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

from .inputs import ROOT

PACKAGES = ("torch", "transformers", "timm", "peft", "numpy")
TELLING = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of the processor's flags


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
    """The revision of the source, with a plus where files of it were changed."""
    changed = _first_line("git", "status", "--porcelain", "--untracked-files=no")
    return _first_line("git", "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def describe():
    processor = _processor()
    flags = _flags()
    return {
        "processor": processor["model name"],
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [flag for flag in TELLING if flag in flags],
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9),
        "gpu": _first_line("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        "system": platform.platform(),
        "commit": commit(),
        "mpi": _first_line("mpirun", "--version"),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }
