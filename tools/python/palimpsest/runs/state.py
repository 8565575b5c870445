"""The newest state of a run: merged weights, and what its parts keep from task to task."""

import math
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..counted import counted
from ..errors import InputError
from .adapter import Float32, Head
from .evaluations import Evaluations, read_rows
from .memory_places import Place, class_counts, memory_places, rows_of_tasks
from .record import Array, Lazy, Objects, Record


class State:
    """The run after its newest task. Everything is read when it is used, and arrays are read again each time.

    Every property raises InputError if the file is damaged.
    """

    def __init__(self, record: Record, tasks_done: int) -> None:
        self._record = record
        self.tasks_done = tasks_done

    @property
    def path(self) -> str:
        return self._record.path

    @property
    def weights(self) -> Lazy[Float32]:
        """theta_hat - theta_hat_0 by module, [out, in] float32; empty for a frozen backbone."""
        return Lazy(lambda: self._modules, self._read_weights, "differences of weights")

    @cached_property
    def _modules(self) -> list[str]:
        with self._record.opened() as objects:
            return objects.names("/weights")

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """[out, in] of each adapted module, in the order of their names."""
        with self._record.opened() as objects:
            return {module: objects.shape(f"/weights/{module}") for module in self._modules}

    def _read_weights(self, module: str) -> Float32:
        with self._record.opened() as objects:
            return objects.array(f"/weights/{module}")

    @cached_property
    def _memory(self) -> dict[str, Place]:
        with self._record.opened() as objects:
            return memory_places(objects)

    def _read_memory(self, name: str) -> Array:
        with self._record.opened() as objects:
            return _read(objects.array, self._memory[name])

    @property
    def memory(self) -> Lazy[Array]:
        """The arrays that the parts of the run keep between tasks, as `<part>/<instance>/<name>`. Arrays of version 1.x get today's names."""
        return Lazy(lambda: list(self._memory), self._read_memory, "arrays of memory")

    @property
    def s0(self) -> Lazy[NDArray[np.float64]]:
        """Sum of the scaled Fishers by module, [out, in]; empty if the run needs none."""
        return self._by_module("s0")

    @property
    def s1(self) -> Lazy[NDArray[np.float64]]:
        """Sum of scaled Fisher times (theta_i* - theta_hat_0) by module, [out, in]; empty if the run needs none."""
        return self._by_module("s1")

    def _by_module(self, which: str) -> Lazy[NDArray[np.float64]]:
        names = [name for name in self._memory if name.startswith("curvature/") and name.endswith(f"/{which}")]
        if len(names) > 1:
            raise InputError(f"{self.path}: expected one curvature, found {', '.join(names)}. Read the one that you want from .memory")

        whole = cache(lambda: self.memory[names[0]])  # one array of all modules, kept as long as the mapping

        def read(module: str) -> NDArray[np.float64]:
            before = self._modules[: self._modules.index(module)]
            first, shape = sum(math.prod(self.shapes[name]) for name in before), self.shapes[module]
            return whole()[first : first + math.prod(shape)].reshape(shape).copy()

        return Lazy(lambda: self._modules if names else [], read, f"{which.upper()} of modules")

    @cached_property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """By task."""
        with self._record.opened() as objects:
            if objects.version[0] > 2:
                names, counts = objects.texts("/classes"), class_counts(objects)
                if sum(counts) != len(names):
                    raise InputError(f"{self.path}: /class_counts: expected the counts of {len(names)} classes, found a sum of {sum(counts)}")
                return tuple(names[rows] for rows in rows_of_tasks(counts))
            group = "/classes/{}" if objects.has("/classes") else "/heads/{}/classes"
            return tuple(objects.texts(group.format(task)) for task in range(self.tasks_done))

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """The heads after training, by task. In a domain-incremental run the last one serves all tasks. Other classifiers are in `memory`."""
        places = [name.removesuffix("/weight") for name in self._memory if name.startswith("head/") and name.endswith("/weight")]
        heads: list[Head] = []
        with self._record.opened() as objects:
            array = cache(objects.array)  # each has the rows of all tasks
            for place in sorted(places, key=lambda name: int(name.rpartition("/")[2])):
                kind, _, scale = place.split("/")[1].partition(":scale=")
                weight, bias = (_read(array, self._memory[f"{place}/{name}"]) for name in ("weight", "bias"))
                heads.append(Head(weight, bias, self.classes[len(heads)], kind, float(scale or 1)))
        return tuple(heads)

    @cached_property
    def numerics(self) -> dict[str, Any]:
        """Everything that the exact bits depend on: library versions, instruction set, threads, lanes."""
        with self._record.opened() as objects:
            return dict(objects.json("/numerics"))

    @cached_property
    def backbone_sha256(self) -> str:
        """SHA-256 of the backbone's weights file."""
        with self._record.opened() as objects:
            return str(objects.attribute("/base", "sha256"))

    @cached_property
    def pack_content_sha256(self) -> str:
        """Content hash of the pack that the newest tasks learned from."""
        with self._record.opened() as objects:
            return str(objects.attribute("/pack", "content_sha256"))

    @cached_property
    def norm(self) -> float | None:
        """Frobenius norm of all weights; None for a frozen backbone."""
        with self._record.opened() as objects:
            return float(objects.attribute("/stats", "norm_merged")) if objects.has_attribute("/stats", "norm_merged") else None

    @cached_property
    def other_classifiers(self) -> tuple[str, ...]:
        with self._record.opened() as objects:
            return objects.texts("/accuracy/others") if objects.has("/accuracy/others") else ()

    def evaluations(self, group: str, classifier: str) -> Evaluations:
        seen = np.cumsum([len(names) for names in self.classes]).tolist()
        with self._record.opened() as objects:
            after, before = (read_rows(objects, f"{group}/{moment}_merge", seen) for moment in ("after", "before"))
        return Evaluations(classifier, after, before)

    def __repr__(self) -> str:
        return f"<State after {counted(self.tasks_done, 'task')}: {counted(len(self.weights), 'module')}, {counted(len(self.memory), 'array')} of memory>"


def _read(array: Callable[[str], Array], place: Place) -> Array:
    """array: reads a dataset."""
    parts = [array(dataset) for dataset in place.datasets]
    if place.rows is None:
        return np.concatenate([part.ravel() for part in parts])
    return parts[0] if place.rows == slice(None) else parts[0][place.rows].copy()


def check_tasks_done(objects: Objects, tasks_done: int) -> None:
    found = objects.attribute("/stream", "tasks_done")
    if found != tasks_done:
        raise InputError(f"{objects.path}: /stream@tasks_done: expected {tasks_done}, found {found}. The file belongs to another time of the run")
