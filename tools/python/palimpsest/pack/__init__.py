"""palimpsest pack: turns sources into packs, assigns their classes to tasks, and checks what was made."""

from .. import __version__
from ..errors import InputError

__all__ = ["FORMAT_VERSION", "WRITER", "InputError", "UsageError"]

WRITER = f"palimpsest-pack {__version__}"
FORMAT_VERSION = "1.0.0"


class UsageError(Exception):
    """Options that don't go together, or a value that an option doesn't take: what was expected, found, and what to do. Exit code 2."""
