"""One training in a run folder: its data, its configuration, and palimpsest train, which continues where it was stopped."""

import json
import shutil

from .children import ROOT
from .files import write_whole
from .streams import PACKER
from .trainings import TRAININGS

INPUTS = ("pack", "protocol", "backbone", "general", "out")  # settings that are paths; the study's start at the root of the repository


def prepare(stream, children, places):
    """Makes the pack and the backbone of a stream where one is missing."""
    if not all((ROOT / path).exists() for path in (stream.pack, stream.backbone)):
        places.runs.mkdir(parents=True, exist_ok=True)
        for command in stream.data:
            children.run(command, places.runs / f"data-{stream.name}.log")


def protocol_of(stream, seed, children, places, **changes):
    """The protocol with the class order of a seed. changes: tasks or test, where not the stream's."""
    suffix = "".join(f"-{name}{value}" for name, value in changes.items())
    path = places.runs / "protocols" / f"{stream.name}-seed{seed}{suffix}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        children.run([*PACKER, "protocol", *stream.protocol_arguments(seed, **changes), "--out", path], path.with_suffix(".log"))
    return path


def settings_of(stream, protocol, seed, folder, classifiers, changes):
    return {
        **own_settings(stream.pack, stream.backbone, protocol, seed, folder),
        "classifier": ",".join(classifiers),
        **dict(stream.settings),
        **changes,
    }


def own_settings(pack, backbone, protocol, seed, folder):
    """Of every run of the study."""
    return {
        "pack": pack,
        "backbone": backbone,
        "protocol": protocol,
        "out": folder,
        "seed": seed,
        "device": "cpu:threads=1",
        "hang-seconds": 3600,  # other programs may take the processor meanwhile
        "error-budget": "false",
        "progress": "none",
        "tensorboard": "false",
    }


def train(stream, training, protocol, seed, folder, classifiers, changes, children, places):
    """changes: settings of the training, the regime and the schedule, which win over those of the stream's configuration."""
    method = TRAININGS[training]
    settings = settings_of(stream, protocol, seed, folder, classifiers, {**dict(method.settings), **changes})
    train_with((stream.config, f"methods/{method.method}.cfg"), settings, folder, children, places)


def train_with(includes, settings, folder, children, places):
    """includes: files of configs/, over which the settings win."""
    lines = [f"include = {', '.join(str(ROOT / 'configs' / name) for name in includes)}"]
    lines += [f"{name} = {ROOT / value if name in INPUTS else value}" for name, value in settings.items()]
    config = beside(folder, ".cfg")
    write_whole(config, "\n".join(lines) + "\n")
    children.run([places.palimpsest, "train", "--config", config, "--resume", "auto"], log_of(folder), spent=spent_on(folder))


def beside(folder, suffix):
    """A file beside the run folder, whose name may have dots, as that of a learning rate."""
    return folder.with_name(folder.name + suffix)


def log_of(folder):
    return beside(folder, ".log")


def spent_on(folder):
    return beside(folder, ".seconds")


def read_output(command, folder, name, children):
    """The JSON object that a program prints about a run."""
    path = beside(folder, f".{name}.json")
    children.run(command, log_of(folder), path)
    return json.loads(path.read_text())


def seconds_of(folder, inspected):
    """processor: of all starts of the training that ended by themselves or on request. The others are wall time by phase, which other
    programs on the machine lengthen."""
    phases = [task["metrics"]["seconds"] for task in inspected["tasks"]]
    by_phase = {phase: round(sum(seconds[phase] for seconds in phases), 1) for phase in ("train", "fisher", "merge", "evaluate")}
    return {"processor": round(sum(map(float, spent_on(folder).read_text().split())), 1), **by_phase}


def origin(inspected):
    """Which program on which processor has computed the numbers."""
    run = inspected["run"]
    numerics = run["numerics"]
    return {"revision": run["source_revision"], "processor": f"{numerics['processor']}, {numerics['instruction_set']}", "torch": numerics["torch"]}


def remove(folder):
    """The run folder and the files beside it."""
    shutil.rmtree(folder)
    for path in folder.parent.glob(f"{folder.name}.*"):
        path.unlink()
