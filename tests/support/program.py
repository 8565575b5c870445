"""The palimpsest program on the toy stream, as a user would run it."""

import json
import os
import subprocess
import sys

import toy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ["PALIMPSEST"]
INSPECT = os.environ.get("PALIMPSEST_INSPECT")
REPORT = [sys.executable, os.path.join(ROOT, "tools", "palimpsest-report")]
MPIRUN = os.path.join(ROOT, "launch", "mpirun.sh")


class Toy:
    """The toy stream in a folder; runs go beside it."""

    def __init__(self, folder, make=toy.make):
        self.folder = folder
        make(folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def command(self, *arguments, out=None):
        where = ["--out", self.path("runs", out)] if out else []
        return [PROGRAM, "train", "--config", self.path("toy.cfg"), *where, *map(str, arguments)]

    def run(self, *arguments, ranks=1, out=None, code=0):
        """Runs to the end within a minute and checks the exit code; returns output and errors as one text."""
        launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
        done = subprocess.run(
            [*launcher, *self.command(*arguments, out=out)], capture_output=True, text=True, timeout=60
        )
        text = done.stdout + done.stderr
        assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{text}"
        return text

    def code(self, *arguments, out=None):
        """The exit code of a job of one process."""
        return subprocess.run(self.command(*arguments, out=out), capture_output=True, timeout=60).returncode

    def records(self, out):
        """{file: content_sha256} of what a run has committed."""
        with open(self.path("runs", out, "manifest.json")) as file:
            return {name: entry["content_sha256"] for name, entry in json.load(file)["files"].items()}

    def metrics(self, out):
        """What metrics.jsonl says of steps, merges and evaluations, times left out."""
        events = ("step", "task_trained", "merged", "evaluated")
        with open(self.path("runs", out, "metrics.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        return [{key: value for key, value in line.items() if key not in ("time", "seconds")}
                for line in lines if line["event"] in events]
