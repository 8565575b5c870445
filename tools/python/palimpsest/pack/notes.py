"""Notes on stderr: what was left out, joined, or taken otherwise than one might think."""

import sys


def note(text: str) -> None:
    print(f"palimpsest-pack: note: {text}", file=sys.stderr)


def counted(count: int, noun: str) -> str:
    """counted(2, "text") is "2 texts"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
