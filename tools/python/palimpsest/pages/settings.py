"""A run's settings beside the defaults and the paper's, and the command that makes the run again."""

import json
import os
from functools import cache
from importlib import resources
from typing import NamedTuple

from .published import departs_from_paper, value_in_paper
from .reported import ReportedRun
from .text import setting_text

# They say which input is read and which tasks are learned; a record knows these by their content.
NAMES_OF_THE_STREAM = ("pack", "protocol", "backbone", "out", "tasks", "fork", "continue", "general")
OF_IMAGES = ("image-transform", "augmentation")
OF_COMPLETIONS = ("general",)
PROGRAM = "build/release/src/palimpsest"  # from the source tree
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-")


@cache
def defaults() -> dict[str, dict[str, str]]:
    """{"recorded" or "operational": {setting: default}}, as `palimpsest train --print-config` has them. Operational ones are no part of a record."""
    return dict(json.loads(resources.files(__package__).joinpath("defaults.json").read_text("utf-8")))


def default_of(name: str) -> str | None:
    return (defaults()["recorded"] | defaults()["operational"]).get(name)


class SettingRow(NamedTuple):
    name: str
    value: str
    default: str
    paper: str


class Settings(NamedTuple):
    changed: list[SettingRow]  # not the default, or not the paper's
    unchanged: list[SettingRow]  # of those that apply to the run's samples
    departures: list[str]  # the names of those that are not the paper's


def sorted_settings(run: ReportedRun) -> Settings:
    result = Settings([], [], [])
    for name, value in run.settings.items():
        default, paper = default_of(name), value_in_paper(name)
        departs = departs_from_paper(name, value)
        text = setting_text(value)
        row = SettingRow(name, f"{text} (≠ paper)" if departs else text, "-" if default is None else default, paper)
        if departs:
            result.departures.append(name)
        if default != text or departs:
            result.changed.append(row)
        elif not (name in OF_IMAGES and run.is_on_texts) and not (name in OF_COMPLETIONS and not run.is_of_completions):
            result.unchanged.append(row)
    return result


def command(run: ReportedRun) -> str:
    """The line that makes the run again, in another folder; without run.json it lacks pack, protocol and backbone."""
    ranks = run.run.started.get("world_size", 1)
    text = f"launch/mpirun.sh -n {ranks} {PROGRAM} train" if isinstance(ranks, int) and ranks > 1 else f"{PROGRAM} train"
    for name, value in run.settings.items():
        is_wanted = name in defaults()["recorded"] or name in NAMES_OF_THE_STREAM
        if name != "out" and is_wanted and setting_text(value) != default_of(name):
            text += f" \\\n  --{name} {_quoted(setting_text(value))}"
    out = run.text_setting("out") or os.path.join("runs", run.name)
    return f"{text} \\\n  --out {_quoted(out.rstrip('/') + '-again')}"


def _quoted(word: str) -> str:
    """As a shell reads it."""
    return word if word and SAFE.issuperset(word) else "'" + word.replace("'", "'\\''") + "'"
