"""Notes on stderr: what was left out, joined, or taken otherwise than one might think."""

import sys


def note(text: str) -> None:
    print(f"palimpsest-pack: note: {text}", file=sys.stderr)


def counted(count: int, noun: str) -> str:
    """counted(2, "text") is "2 texts"; also "classes" and "families"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def form(count: int, one: str, several: str) -> str:
    """The form of a verb, say, that fits the number: form(2, "is", "are") is "are"."""
    return one if count == 1 else several
