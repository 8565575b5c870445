"""Palimpsest's side in Python: packs for training, and the runs it leaves behind."""

from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    from .runs import Run
    from .runs import open_run as open

__version__ = "0.1.0"
__all__ = ["InputError", "Run", "__version__", "open"]

# Imported when they are asked for: packing needs no pandas.
_RUNS = {"open": "open_run", "Run": "Run"}


def __getattr__(name: str) -> Any:
    if name not in _RUNS:
        raise AttributeError(f"module 'palimpsest' has no attribute '{name}'")
    from . import runs

    return getattr(runs, _RUNS[name])


def __dir__() -> list[str]:
    return sorted(__all__)
