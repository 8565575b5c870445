"""Palimpsest's side in Python: packs for training, and the runs it leaves behind."""

from .errors import InputError

__version__ = "0.1.0"
__all__ = ["InputError", "__version__"]
