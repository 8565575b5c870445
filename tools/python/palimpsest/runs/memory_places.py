"""Where a state of each format version keeps its memory. All of it gets the names of today."""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

from ..errors import InputError
from .record import Objects


class Place(NamedTuple):
    """Of an array: its dataset, and its rows of that. Without rows: the datasets whose values, one after the other, are its one dimension."""

    datasets: tuple[str, ...]
    rows: slice | None = slice(None)


def memory_places(objects: Objects) -> dict[str, Place]:
    """By name. Raises InputError."""
    major, _ = objects.version
    if major == 1:
        return dict(_of_version_1(objects))
    places = {place.removeprefix("/memory/"): Place((place,)) for place in _datasets(objects, "/memory")}
    if major > 2:
        counts = class_counts(objects)
        places |= _of_tasks(objects, "/memory_by_class", counts) | _of_tasks(objects, "/memory_by_task", [1] * len(counts))
    return dict(sorted(places.items()))


def class_counts(objects: Objects) -> list[int]:
    """Of each task, from version 3 on."""
    return [int(count) for count in objects.array("/class_counts")]


def rows_of_tasks(counts: list[int]) -> list[slice]:
    return [slice(first, end) for first, end in pairwise(accumulate(counts, initial=0))]


def _of_tasks(objects: Objects, group: str, counts: list[int]) -> dict[str, Place]:
    """Of arrays with the rows of all tasks one below the other: those of each task, whose number comes before the last part of the name."""
    places = {}
    for dataset in _datasets(objects, group):
        path, _, leaf = dataset.removeprefix(f"{group}/").rpartition("/")
        found = objects.shape(dataset)
        if found[:1] != (sum(counts),):
            raise InputError(f"{objects.path}: {dataset}: expected {sum(counts)} rows of {len(counts)} tasks, found the shape {list(found)}")
        for task, rows in enumerate(rows_of_tasks(counts)):
            places[f"{path}/{task}/{leaf}"] = Place((dataset,), rows)
    return places


def _of_version_1(objects: Objects) -> Iterator[tuple[str, Place]]:
    """Heads, class statistics, S0 and S1 have other places."""
    modules = objects.names("/curvature/s0")
    if modules:
        kind = objects.attribute("/curvature", "kind")
        instance = f"curvature/{'gram' if kind == 'gram-diagonal' else kind.removesuffix('-per-sample')}:scale={objects.attribute('/curvature', 'scale')}"
        for which in ("s0", "s1"):
            yield f"{instance}/{which}", Place(tuple(f"/curvature/{which}/{module}" for module in modules), None)
    for task in sorted(objects.names("/heads"), key=int):
        attributes = objects.attributes(f"/heads/{task}")
        kind = attributes.get("kind", "linear")
        instance = kind if kind == "linear" else f"{kind}:scale={repr(attributes['scale']).removesuffix('.0')}"
        for name in ("weight", "bias"):
            yield f"head/{instance}/{task}/{name}", Place((f"/heads/{task}/{name}",))
    for task in sorted(objects.names("/class_statistics"), key=int):
        for name in ("mean", "variance"):
            yield f"classifier/local/{task}/{name}", Place((f"/class_statistics/{task}/{name}",))


def _datasets(objects: Objects, group: str) -> list[str]:
    found = []
    for name in objects.names(group):
        place = f"{group}/{name}"
        found += _datasets(objects, place) if objects.is_group(place) else [place]
    return found
