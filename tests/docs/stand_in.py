"""A folder that looks like the repository after launch/quickstart.sh, with toy data under the names that the pages use."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

import sources
from page import ROOT
from program import PROGRAM

BIN = ROOT / "tests" / "docs" / "bin"
BUILD = pathlib.Path(PROGRAM).parents[1]
# Set in configs/*.cfg; all else is as it is there.
SHORTER = {"epochs": 1, "batch": 180, "evaluation-batch": 600, "device": "cpu"}
# Also, but in those of the quickstart and of debian-sections, of whose six tasks the pages speak.
FEWER = {"tasks": 2}
# The only paths outside of the repository that pages name, and the only text that is changed in a command.
ELSEWHERE = {"/usr/share/": "usr-share/"}


def with_settings(text, settings):
    kept = [line for line in text.splitlines() if line.partition(" =")[0] not in settings]
    return "\n".join([*kept, *(f"{name} = {value}" for name, value in settings.items())]) + "\n"


@dataclasses.dataclass(frozen=True)
class Done:
    code: int
    output: str


class StandIn:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in os.listdir(ROOT):
            if name not in (".git", ".cache", "build", "configs", "data", "runs"):
                (self.folder / name).symlink_to(ROOT / name)
        (self.folder / "build").mkdir()
        (self.folder / "build" / "release").symlink_to(BUILD)
        if (ROOT / ".cache" / "offline").is_dir():
            (self.folder / ".cache").mkdir()
            (self.folder / ".cache" / "offline").symlink_to(ROOT / ".cache" / "offline")
        shutil.copytree(ROOT / "configs", self.folder / "configs")
        for path in self.folder.glob("configs/*.cfg"):
            is_whole = path.name.startswith(("quickstart", "debian-sections"))
            path.write_text(with_settings(path.read_text(), SHORTER if is_whole else SHORTER | FEWER))

    def run(self, script, timeout=300):
        """Runs the text by bash, which shows each command before its output and ends at the first that fails."""
        for outside, within in ELSEWHERE.items():
            script = script.replace(outside, within)
        done = subprocess.run(["bash", "-exo", "pipefail", "-c", script], cwd=self.folder, env=self.environment(), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        return Done(done.returncode, done.stdout)

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PALIMPSEST", "SLURM"))}
        programs = [BIN, BUILD / "src", BUILD / "tools"]
        return kept | {
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "HOME": str(self.folder / "home"),
            "PIP_NO_INDEX": "1",
            "TOY_INDEX": str(self.folder / "index"),
            "TOY_FONTS": str(self.folder / "fonts"),
        }


class Store:
    """What stand-ins are filled from: data, and finished runs by name."""

    RUNS = {
        "seed 1": [],
        "seed 2": ["--seed", "2"],
        "average, seed 1": ["--merge", "average"],
        "average, seed 2": ["--merge", "average", "--seed", "2"],
    }

    def __init__(self, folder):
        self.stand_in = StandIn(folder)
        self.folder = self.stand_in.folder
        sources.make_data(self.folder)

    def copy_data(self, folder):
        shutil.copytree(self.folder / "data", folder / "data")
        shutil.copy(self.folder / "index", folder)
        (folder / "home").mkdir()
        configuration = (folder / "configs" / "quickstart.cfg").read_text()
        (folder / "configs" / "mine.cfg").write_text(with_settings(configuration, FEWER))

    def copy_runs(self, folder, names):
        """runs/ as a page requires it: {folder of runs/: name of a finished run}."""
        (folder / "runs").mkdir()
        for path, name in names.items():
            shutil.copytree(self.finished(name), folder / "runs" / path)

    def finished(self, name):
        run = self.folder / "runs" / name.replace(", ", "-").replace(" ", "-")
        if not run.is_dir():
            settings = " ".join(["--config configs/quickstart.cfg --progress none", *self.RUNS[name]])
            done = self.stand_in.run(f"palimpsest train {settings} --out '{run}'")
            assert done.code == 0, done.output
        return run
