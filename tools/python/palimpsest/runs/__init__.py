"""Runs as data frames and arrays: `palimpsest.open("runs/mine")`."""

from .adapter import Head, Lora, add_scaled
from .run import Run, open_run
from .state import State
from .task import Fisher, Merge, Task

__all__ = ["Fisher", "Head", "Lora", "Merge", "Run", "State", "Task", "add_scaled", "open_run"]
