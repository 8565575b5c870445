"""Notes on stderr: what was left out, joined, or read in an unexpected way."""

import sys


def note(text: str) -> None:
    print(f"palimpsest pack: note: {text}", file=sys.stderr)
