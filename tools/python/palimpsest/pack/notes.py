"""Notes on stderr: what was left out, joined, or taken otherwise than one might think."""

import sys


def note(text: str) -> None:
    print(f"palimpsest pack: note: {text}", file=sys.stderr)
