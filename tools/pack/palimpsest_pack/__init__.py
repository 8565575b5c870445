"""palimpsest-pack: turns public sources into packs, assigns their classes to tasks, and checks what was made."""

WRITER = "palimpsest-pack 0.1.0"
FORMAT_VERSION = "1.0.0"


class InputError(Exception):
    """An input is wrong: what was expected, what was found, where, and what to do. Exit code 3."""
