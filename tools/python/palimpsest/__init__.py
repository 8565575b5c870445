"""Palimpsest's side in Python: packs for training, and the runs it leaves behind."""

from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    from .runs import Run, add_scaled, load_backbone, weights_sha256
    from .runs import open_run as open

__version__ = "0.2.0"
__all__ = ["InputError", "Run", "__version__", "add_scaled", "load_backbone", "open", "weights_sha256"]

# Imported when they are first used: packing needs no pandas.
_RUNS = {name: name for name in ("Run", "add_scaled", "load_backbone", "weights_sha256")} | {"open": "open_run"}


def __getattr__(name: str) -> Any:
    if name not in _RUNS:
        raise AttributeError(f"module 'palimpsest' has no attribute '{name}'")
    from . import runs

    return getattr(runs, _RUNS[name])


def __dir__() -> list[str]:
    return sorted(__all__)
