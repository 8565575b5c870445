"""The merged weights after any task, and whether the files are whole."""

import hashlib
import os
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InputError
from .adapter import Float32, add_scaled
from .manifest import Entry
from .task import Task

BLOCK = 1 << 22  # bytes read at once


def merge_again(tasks: Sequence[Task], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Float32]:
    """theta_hat - theta_hat_0 after the last of these tasks, by module, from the recorded coefficients alone; its hash is the recorded one.

    shapes: of all adapted modules. Raises InputError where a merge rule's coefficients don't say what it did.
    """
    weights: dict[str, Float32] = {module: np.zeros(shape, np.float32) for module, shape in shapes.items()}
    for task in tasks:
        deltas = task.delta  # empty where no factor learned: it adds nothing
        coefficients = task.merge.coefficients.tolist()
        if len(set(coefficients)) == 1:
            coefficients = coefficients[:1] * len(deltas)
        if len(coefficients) != len(deltas):
            raise InputError(_needs_the_tools(task))
        for alpha, (module, delta) in zip(coefficients, deltas.items(), strict=True):
            weights[module] = add_scaled(weights[module], alpha, delta)
    if weights_sha256(weights) != tasks[-1].merge.weights_after:
        raise InputError(_needs_the_tools(tasks[-1]))
    return weights


def weights_sha256(weights: Mapping[str, Float32]) -> str:
    """Of all modules in byte order of their names, each row-major: what records call weights_before and weights_after."""
    digest = hashlib.sha256()
    for module in sorted(weights, key=str.encode):
        digest.update(np.ascontiguousarray(weights[module], "<f4").tobytes())
    return digest.hexdigest()


def check_files(folder: str, files: Mapping[str, Entry]) -> None:
    """Reads these files of a run. Raises InputError that names each which is missing or isn't what manifest.json says."""
    problems = []
    for name, entry in sorted(files.items()):
        path = os.path.join(folder, *name.split("/"))
        try:
            found = _file_sha256(path)
        except OSError as error:
            problems.append(f"{path}: expected a file of the run, but it cannot be read ({error.strerror})")
            continue
        if found != entry.sha256:
            problems.append(f"{path}: expected SHA-256 {entry.sha256} (manifest.json), found {found}")
    if problems:
        raise InputError("\n".join([*problems, "Restore the files from a copy. If the program is still writing this run, open the run again first."]))


def _file_sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def files_sha256(paths: Sequence[str]) -> str:
    """What records call a backbone's SHA-256: of its weights file, or of the joined hashes of several."""
    hashes = [_file_sha256(path) for path in paths]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _needs_the_tools(task: Task) -> str:
    return (
        f"{task.path}: /merge/coefficients: expected coefficients that give the merged weights of task {task.index}, but the rule "
        f"{task.merge.rule.get('name')} does more. Merge these tasks again with palimpsest merge RUN --tasks ... --out merged.h5"
    )
