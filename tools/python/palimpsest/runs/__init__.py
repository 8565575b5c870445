"""Runs as data frames and arrays: `palimpsest.open("runs/mine")`."""

from .adapter import Head, Lora, add_scaled
from .backbone import load_backbone
from .run import Run, open_run
from .state import State
from .task import Fisher, Merge, Task
from .weights import weights_sha256

__all__ = ["Fisher", "Head", "Lora", "Merge", "Run", "State", "Task", "add_scaled", "load_backbone", "open_run", "weights_sha256"]
