"""The merged weights after any task, and whether the files are whole."""

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from .adapter import Float32, add_scaled
from .manifest import Manifest
from .task import Task

BLOCK = 1 << 22  # bytes read at once


def merge_again(tasks: Sequence[Task]) -> dict[str, Float32]:
    """theta_hat - theta_hat_0 after the last of these tasks, by module, from the recorded coefficients alone; its hash is the recorded one.

    Raises InputError where a merge rule's coefficients don't say what it did.
    """
    weights: dict[str, Float32] = {}
    for task in tasks:
        deltas = task.delta
        if not deltas:
            continue  # no factor learned: it adds nothing
        coefficients = task.merge.coefficients
        if len(coefficients) not in (1, len(deltas)):
            raise InputError(_needs_the_tools(task))
        for i, (module, delta) in enumerate(deltas.items()):
            before = weights.get(module)
            alpha = float(coefficients[0 if len(coefficients) == 1 else i])
            weights[module] = add_scaled(np.zeros_like(delta) if before is None else before, alpha, delta)
    if weights and weights_sha256(weights) != tasks[-1].merge.weights_after:
        raise InputError(_needs_the_tools(tasks[-1]))
    return weights


def weights_sha256(weights: dict[str, Float32]) -> str:
    """Of all modules in byte order of their names, each row-major: what records call weights_before and weights_after."""
    digest = hashlib.sha256()
    for module in sorted(weights, key=str.encode):
        digest.update(np.ascontiguousarray(weights[module], "<f4").tobytes())
    return digest.hexdigest()


def check_files(folder: str, manifest: Manifest) -> None:
    """Reads every file of the run. Raises InputError that names each which is missing or isn't what manifest.json says."""
    problems = []
    for name, entry in sorted(manifest.files.items()):
        path = os.path.join(folder, *name.split("/"))
        try:
            found = _file_sha256(path)
        except OSError as error:
            problems.append(f"{path}: expected a file of the run, but it cannot be read ({error.strerror})")
            continue
        if found != entry.sha256:
            problems.append(f"{path}: expected SHA-256 {entry.sha256} (manifest.json), found {found}")
    if problems:
        raise InputError("\n".join([*problems, "Bring the files back from a copy; if the program is still writing this run, open it again first."]))


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
        f"{task.path}: /merge/coefficients: expected one, or one per module, that give the merged weights of task {task.index}; the rule "
        f"{task.merge.rule.get('name')} did more than they say: palimpsest-merge RUN --tasks ... --out merged.h5 merges these tasks again"
    )
