"""The task that a file belongs to, by its name."""

import pathlib
import re

from ..images.listing import shown, side_word
from ..texts.sources import PLAIN, SUFFIXES

_SHARD = re.compile(r"[-_.]?\d+-of-\d+$")


def task_of(path: pathlib.Path) -> str:
    """The file's name without endings, numbers of shards and words of sides, of algebra.train.jsonl and algebra/test.jsonl algebra.

    Where nothing is left, the folder says it; of a data set that Hugging Face's save_to_disk wrote, always.
    """
    path = path.absolute()
    names = [path.name, *(folder.name for folder in path.parents)]
    if path.suffix == ".arrow" and (path.parent / "state.json").is_file():
        names = names[1:]
    return next((task for name in names if (task := _without_side(_stem(name)))), "all")


def _stem(name: str) -> str:
    stem = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    ending = next((ending for ending in (*SUFFIXES, PLAIN) if stem.lower().endswith(ending)), "")
    return _SHARD.sub("", stem[: len(stem) - len(ending)])


def _without_side(stem: str) -> str:
    parts = re.split(r"([-_. ]+)", stem)  # words, and what is between them
    kept = [(between, word) for between, word in zip(["", *parts[1::2]], parts[::2], strict=True) if word and not side_word(word)]
    return shown("".join(between * bool(i) + word for i, (between, word) in enumerate(kept)))
