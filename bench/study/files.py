"""Where the study reads and writes, and files that are there whole or not at all."""

import dataclasses
import json
import os
import pathlib

from .children import ROOT


@dataclasses.dataclass(frozen=True)
class Places:
    results: pathlib.Path = ROOT / "bench" / "results" / "study"
    runs: pathlib.Path = ROOT / "runs" / "study"
    build: pathlib.Path = ROOT / "build" / "release"

    @property
    def palimpsest(self):
        return self.build / "src" / "palimpsest"

    @property
    def inspect(self):
        return self.build / "tools" / "palimpsest-inspect"

    @property
    def export(self):
        return self.build / "tools" / "palimpsest-export"

    def choice(self, stream):
        return self.results / f"choice-{stream}.json"

    def result(self, stream, name):
        return self.results / stream / f"{name}.json"


def write_whole(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.rename(path)


def write_json(path, content):
    """A line for each entry of the outermost two levels, so that a long list is one line."""

    def entries(value, depth):
        if not isinstance(value, dict) or depth == 0 or not value:
            return json.dumps(value)
        lines = [f"{' ' * (3 - depth)}{json.dumps(name)}: {entries(each, depth - 1)}" for name, each in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * (2 - depth) + "}"

    write_whole(path, entries(content, 2) + "\n")


def read_json(path):
    """None where it is missing."""
    return json.loads(path.read_text()) if path.exists() else None
