"""palimpsest-pack: turns sources into packs, assigns their classes to tasks, and checks what was made."""

from .. import __version__
from ..errors import InputError

__all__ = ["FORMAT_VERSION", "WRITER", "InputError"]

WRITER = f"palimpsest-pack {__version__}"
FORMAT_VERSION = "1.0.0"
