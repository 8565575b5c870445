"""Completions in a pack of kind "sequences": which tokens of a sample a model is to predict. checkpoints_schema/pack.md."""

import numpy as np

from ..counted import counted
from . import InputError
from .arrays import Ints

DATASETS = ("completion_offsets", "completions")  # of kind sequences only


def check_completions(offsets: Ints, completions: Ints, tokens: Ints) -> None:
    """Raises InputError unless every sample has completions, in order and within its tokens.

    `completions` [m, 2]: begin and end (exclusive) of each, in the tokens of its sample; those of sample i are the rows from `offsets[i]`
    to `offsets[i + 1]`. `tokens` [n]: of each sample. The first token of a sample is in none: nothing before it predicts it.
    """
    if offsets.shape != (len(tokens) + 1,):
        raise InputError(f"/completion_offsets, dimensions: expected {(len(tokens) + 1,)}, found {offsets.shape}")
    if completions.ndim != 2 or completions.shape[1] != 2:
        raise InputError(f"/completions, dimensions: expected [completions, 2], found {list(completions.shape)}")
    counts = np.diff(offsets)
    if offsets[0] != 0 or offsets[-1] != len(completions) or not (counts > 0).all():
        raise InputError(
            f"/completion_offsets: expected increasing offsets from 0 to {len(completions)}, with at least one completion in every sample, found others"
        )
    begins, ends = completions[:, 0], completions[:, 1]
    least = np.ones(len(completions), dtype="<i8")
    least[1:] = ends[:-1]
    least[offsets[:-1]] = 1
    sample = np.repeat(np.arange(len(tokens)), counts)
    wrong = np.flatnonzero((begins < least) | (ends <= begins) | (ends > tokens[sample]))
    if len(wrong):
        row = wrong[0]
        raise InputError(
            f"/completions, sample {sample[row]}: expected begin and end in order, from {least[row]} to {tokens[sample[row]]}, "
            f"found {begins[row]} to {ends[row]}"
        )


def summary(completions: Ints, samples: int) -> str:
    """How many there are, and of how many tokens."""
    tokens = int((completions[:, 1] - completions[:, 0]).sum())
    return f"{counted(len(completions), 'completion')}, {tokens / samples:.1f} tokens to predict on average, {tokens} in all"


def parts(completions: Ints, tokens: int) -> list[tuple[str, int, int]]:
    """("prompt" or "completion", begin, end) of all parts of a sample of so many tokens, whose completions are given."""
    found: list[tuple[str, int, int]] = []
    done = 0
    for begin, end in completions.tolist():
        found += [("prompt", done, begin)] * (begin > done) + [("completion", begin, end)]
        done = end
    return found + [("prompt", done, tokens)] * (tokens > done)
