"""Floating-point operations that training needs: of the tokens that are there, none of padding, and of a vision
transformer's last block those of the class token."""

import dataclasses
import json

import h5py
import numpy as np


@dataclasses.dataclass(frozen=True)
class Shape:
    width: int
    middle: int  # of the MLP
    blocks: int
    patch: int = 0  # side in pixels; 0 for texts


SHAPES = {
    "minilm": Shape(384, 1536, 6),
    "vit-small-14": Shape(384, 1536, 12, 14),
    "vit-base-16": Shape(768, 3072, 12, 16),
}
RANK = 10


def training(shape, tokens):
    """Of one sample: forward, and backward where a gradient is needed; the first block needs none to its input."""
    w = shape.width
    last = 1 if shape.patch else tokens  # tokens that are computed after the last block's keys and values
    after_attention = w * w + 2 * w * shape.middle
    products = 2 * (tokens * shape.blocks * (3 * w * w + after_attention) - (tokens - last) * after_attention)
    forward = products + 2 * max(0, tokens - 1) * 3 * shape.patch**2 * w
    backward = products - 2 * tokens * 3 * w * w
    attention = 4 * tokens * w * (tokens * (shape.blocks - 1) + last)
    adapter = 2 * tokens * shape.blocks * 2 * RANK * 2 * w
    return forward + backward + 3 * attention + 2 * adapter  # forward it is part of the weights


def of_image(shape, side):
    return training(shape, 1 + (side // shape.patch) ** 2)


def mean_training(work):
    """The mean over the training samples of the first task."""
    shape = SHAPES[work.backbone]
    if shape.patch:
        return of_image(shape, work.settings["image-size"])
    counts = token_counts(work)
    return sum(training(shape, tokens) for tokens in counts) / len(counts)


def token_counts(work):
    """Of the training samples of the first task."""
    with open(work.protocol) as file:
        protocol = json.load(file)
    with h5py.File(work.pack) as file:
        names = [name.decode() for name in file["classes"][()]]
        labels, split, lengths = file["labels"][()], file["split"][()], file["shape"][()][:, 0]
    counts = []
    for name in protocol["tasks"][0]["classes"]:
        found = np.flatnonzero((labels == names.index(name)) & (split == 0))
        counts += map(int, lengths[found[: protocol["train_per_class"] or None]])
    return counts
