"""Where a state keeps its memory. In versions 1.x heads, class statistics, S0 and S1 have other places, and get the names of today."""

from .record import Objects


def memory_places(objects: Objects) -> dict[str, tuple[str, ...]]:
    """{name: the datasets that make it}. Raises InputError."""
    if objects.version[0] > 1:
        return {name.removeprefix("/memory/"): (name,) for name in _datasets(objects, "/memory")}
    places: dict[str, tuple[str, ...]] = {}
    modules = objects.names("/curvature/s0")
    if modules:
        kind = objects.attribute("/curvature", "kind")
        instance = f"curvature/{'gram' if kind == 'gram-diagonal' else kind.removesuffix('-per-sample')}:scale={objects.attribute('/curvature', 'scale')}"
        for which in ("s0", "s1"):
            places[f"{instance}/{which}"] = tuple(f"/curvature/{which}/{module}" for module in modules)
    for task in sorted(objects.names("/heads"), key=int):
        attributes = objects.attributes(f"/heads/{task}")
        kind = attributes.get("kind", "linear")
        instance = kind if kind == "linear" else f"{kind}:scale={repr(attributes['scale']).removesuffix('.0')}"
        for name in ("weight", "bias"):
            places[f"head/{instance}/{task}/{name}"] = (f"/heads/{task}/{name}",)
    for task in sorted(objects.names("/class_statistics"), key=int):
        for name in ("mean", "variance"):
            places[f"classifier/local/{task}/{name}"] = (f"/class_statistics/{task}/{name}",)
    return places


def _datasets(objects: Objects, group: str) -> list[str]:
    found = []
    for name in objects.names(group):
        place = f"{group}/{name}"
        found += _datasets(objects, place) if objects.is_group(place) else [place]
    return found
