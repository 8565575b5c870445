"""python -m measure.minutes, from bench/: how long builds, tests and the quickstart take on fresh clones. Called by bench/minutes.sh."""

import argparse
import collections
import dataclasses
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from . import machine, process
from .inputs import ROOT
from .table import number

CHANGED_FILE = "src/train/training_step.cpp"
TRAIN_TESTS = "ctest --test-dir build/{0} --tests-regex '^train_[1-4]_ranks$' --no-tests=error --output-on-failure"
# What a machine says about how apt and pip reach their servers; copied into the bare Debian where it is there.
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/apt/apt.conf.d", "/etc/apt/auth.conf.d", "/etc/ssl/certs/ca-certificates.crt",
                 "/usr/local/share/ca-certificates", "/etc/pip.conf", "/root/.config/pip", "/root/.netrc")  # fmt: skip
NETWORK_VARIABLES = r"PIP_|SSL_CERT_|REQUESTS_CA_BUNDLE$|CURL_CA_BUNDLE$|\w+_PROXY$"
# In a separate mount namespace, so that nothing stays mounted. $1: the root folder; then the environment.
IN_BARE_DEBIAN = """root=$1; shift
mount -t proc proc "$root/proc"; mount --rbind /sys "$root/sys"; mount --rbind /dev "$root/dev"; mount -t tmpfs tmpfs "$root/dev/shm"
exec chroot "$root" /usr/bin/env --ignore-environment --chdir=/root/palimpsest "$@" launch/quickstart.sh"""


@dataclasses.dataclass
class Figure:
    """One measurement of a line."""

    line: str
    commit: str
    round: int
    wall: float  # seconds
    processor: float  # seconds
    disturbed: float  # share of the cores that others used
    stages: dict  # seconds of each stage that the script names


def environment(folder):
    """Without ccache, with an empty cache for pip, and with no program or setting of another build."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PALIMPSEST", "PIP_CACHE_DIR", "PYTHON"))}
    return kept | {"CCACHE_DISABLE": "1", "XDG_CACHE_HOME": str(folder / "cache")}


def run(folder, place, *commands):
    """Commands of the shell, one after another, in the folder `place`; a signal ends what they have started, too."""
    folder.mkdir(exist_ok=True)
    script = "\n".join([f"source '{ROOT}/launch/children.sh'", *(f"run_child {command}" for command in commands)])
    return process.run(["bash", "-euc", script], environment(folder), folder, place=place)


def call(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def clone(commit, folder):
    call("git", "clone", "--quiet", "--no-checkout", ROOT, folder)
    call("git", "-C", folder, "checkout", "--quiet", commit)


def requirements_of(root):
    return {path.name: path.read_bytes() for path in root.glob("launch/requirements*.txt")}


class Tree:
    """A clone in which programs, tests, suite and rebuild follow one another."""

    def __init__(self, commit, work):
        self.commit, self.folder = commit, work / commit
        self.root = self.folder / "palimpsest"

    def run(self, *commands):
        return run(self.folder, self.root, *commands)

    def make_clone(self):
        """With this tree's .venv; where the requirements differ, with a separate one."""
        if self.root.exists():
            return
        clone(self.commit, self.root)
        if (ROOT / ".venv").exists() and requirements_of(ROOT) == requirements_of(self.root):
            (self.root / ".venv").symlink_to(ROOT / ".venv")
        else:
            self.run("launch/setup.sh")

    def programs(self):
        self.make_clone()
        return self.run("cmake --preset release", "cmake --build --preset release --target src/all tools/all")

    def tests(self):
        return self.run("cmake --build --preset release")

    def suite(self):
        return self.run("tests/run.sh")

    def rebuild(self):
        """In the preset dev, where the commit has it."""
        self.make_clone()
        presets = json.loads((self.root / "CMakePresets.json").read_text())["configurePresets"]
        preset = "dev" if any(each["name"] == "dev" for each in presets) else "release"
        build = f"cmake --build --preset {preset} --target train_tests"
        self.run(f"cmake --preset {preset}", build)
        with open(self.root / CHANGED_FILE, "a") as file:
            file.write("// changed\n")
        return self.run(build, TRAIN_TESTS.format(preset))

    def ci(self):
        root = self.folder / "ci"
        clone(self.commit, root)
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        try:
            return run(self.folder, root, ".ci/run")
        finally:
            shutil.rmtree(root)

    def quickstart(self, debian):
        self.folder.mkdir(exist_ok=True)
        root = self.folder / "debian"
        call("cp", "--archive", debian, root)
        copy_network_settings(root)
        clone(self.commit, root / "root" / "palimpsest")
        variables = [f"{name}={value}" for name, value in os.environ.items() if re.match(NETWORK_VARIABLES, name, re.IGNORECASE)]
        variables += ["HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        command = ["unshare", "--mount", "bash", "-euc", IN_BARE_DEBIAN, "bash", root, *variables]
        try:
            return process.run(command, dict(os.environ), self.folder)
        finally:
            shutil.rmtree(root)


def copy_network_settings(root):
    there = [path for path in NETWORK_FILES if os.path.exists(path)]
    call("cp", "--recursive", "--dereference", "--parents", *there, root)


def make_bare_debian(work):
    """Its own mounts, too, are in their own namespace."""
    run(work, None, f"unshare --mount debootstrap --variant=minbase bookworm '{work}/bookworm'")
    return work / "bookworm"


LINES = {
    "programs": "fresh build of the programs",
    "tests": "fresh build of the tests on top",
    "suite": "tests/run.sh after the build",
    "rebuild": "one file of src/train changed: build and run of its tests",
    "ci": ".ci/run on a clean clone",
    "quickstart": "launch/quickstart.sh on a bare Debian 12",
}
NEEDS = {"tests": ("programs",), "suite": ("programs", "tests")}


def stages_of(log):
    """As launch/stages.sh prints them."""
    return {title: int(seconds) for title, seconds in re.findall(r"^== (.*): done in (\d+) s$", log, re.MULTILINE)}


def outputs_of_build(folder):
    """{output: seconds} of what ninja has built; one of several outputs of a command is taken for all."""
    commands = {}
    for line in (folder / ".ninja_log").read_text().splitlines()[1:]:
        begin, end, _, output, command = line.split("\t")
        commands[command] = output, (int(end) - int(begin)) / 1000
    return dict(commands.values())


def place_of(output):
    """The folder of the source: of a file by itself, of one of a unity build's large files by its name."""
    found = re.match(r"(\w+)/(?:(.*)/)?CMakeFiles/([^/]+)\.dir/(.*)\.o$", output)
    if output.endswith(".gch"):
        return "precompiled headers"
    if not found:
        return "libraries, programs and what else is made"
    top, below, target, source = found.groups()
    unity = re.match(r"Unity/unity_(?:([a-z]\w*?)_)?(?:\d+_)?cxx\.cxx$", source)
    folder = (unity[1] or target) if unity else str(pathlib.PurePath(source).parent)
    return "/".join(part for part in (top, below, folder) if part not in (None, "."))


def print_build(commit, outputs):
    """Where the build's time goes. Several commands run at once: the sum is more than the wall time."""
    places = collections.defaultdict(list)
    for output, seconds in outputs.items():
        places[place_of(output)].append(seconds)
    total = sum(outputs.values())
    print(f"\nThe build of {commit} by folder, from ninja's log: {total:.0f} s over {len(outputs)} commands\n")
    print("| folder | commands | seconds | share |\n|---|---|---|---|")
    for place, seconds in sorted(places.items(), key=lambda item: -sum(item[1])):
        print(f"| {place} | {len(seconds)} | {number(sum(seconds))} | {100 * sum(seconds) / total:.1f} % |")
    print("\n| the ten longest | seconds |\n|---|---|")
    for output, seconds in sorted(outputs.items(), key=lambda item: -item[1])[:10]:
        print(f"| {re.sub(r'CMakeFiles/[^/]+[.]dir/', '', output)} | {number(seconds)} |")


def print_table(about, figures):
    print(f"\nMeasured on {about['date']}: {about['processor']}, {about['cores']} cores, {' '.join(about['instructions'])}; rounds: {about['rounds']}.\n")
    print("| | commit | wall | processor | used by others | stages |\n|---|---|---|---|---|---|")
    groups = collections.defaultdict(list)
    for figure in figures:
        groups[figure.line, figure.commit].append(figure)
    for (line, commit), group in groups.items():
        middle = sorted(group, key=lambda figure: figure.wall)[(len(group) - 1) // 2]
        print(f"| {LINES[line]} | {commit} | {spread(figure.wall for figure in group)} | {spread(figure.processor for figure in group)} "
              f"| {100 * max(figure.disturbed for figure in group):.0f} % | {', '.join(f'{title}: {s} s' for title, s in middle.stages.items())} |")  # fmt: skip


def spread(values):
    values = list(values)
    text = f"{number(statistics.median(values))} s"
    return text if len(values) == 1 else f"{text} ({number(min(values))} to {number(max(values))})"


def arguments():
    parser = argparse.ArgumentParser(prog="bench/minutes.sh", description="How long builds, tests and the quickstart take on fresh clones.")
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"of {', '.join(LINES)} (all)")
    parser.add_argument("--rounds", type=int, default=1, help="(1)")
    parser.add_argument("--against", metavar="COMMIT", help="another commit, measured in turn")
    parser.add_argument("--debian", type=pathlib.Path, metavar="FOLDER", help="a bare Debian 12, made by debootstrap")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"expected at least one round, found {options.rounds}")
    asked = set(options.lines or LINES)
    if unknown := asked - set(LINES):
        parser.error(f"expected lines of {', '.join(LINES)}, found {', '.join(sorted(unknown))}")
    options.lines = [line for line in LINES if line in asked or any(line in NEEDS.get(other, ()) for other in asked)]
    if "quickstart" in asked and os.geteuid() != 0:
        parser.error("quickstart needs root, for chroot")
    if "quickstart" in asked and not options.debian and not shutil.which("debootstrap"):
        parser.error("quickstart needs debootstrap (apt-get install debootstrap), or --debian FOLDER")
    return options


def measure(options, commits, work):
    """(figures, {commit: outputs of its last build}, whether all went well)"""
    figures, builds, well = [], {}, True
    debian = options.debian
    if "quickstart" in options.lines and not debian:
        debian = make_bare_debian(work)
    for turn in range(1, options.rounds + 1):
        trees = [Tree(commit, work) for commit in commits]
        for line in options.lines:
            for tree in trees:
                name = f"round {turn}, {tree.commit}, {LINES[line]}"
                try:
                    done = tree.quickstart(debian) if line == "quickstart" else getattr(tree, line)()
                except (process.Failed, subprocess.CalledProcessError, OSError) as error:
                    well = False
                    log = tree.folder / "log"
                    print(f"{name}: {error}", *(log.read_text().splitlines()[-40:] if log.exists() else ()), sep="\n", file=sys.stderr)
                    continue
                stages = stages_of((tree.folder / "log").read_text())
                figures.append(Figure(line, tree.commit, turn, done.wall, done.processor, done.disturbed, stages))
                print(f"{name}: {number(done.wall)} s, {number(done.processor)} s of processors, others used {100 * done.disturbed:.0f} % of the cores", flush=True)
                if line in ("programs", "tests"):
                    builds[tree.commit] = outputs_of_build(tree.root / "build" / "release")
        for tree in trees:
            shutil.rmtree(tree.folder, ignore_errors=True)
    return figures, builds, well


def main():
    process.end_on_signals()
    options = arguments()
    commits = [call("git", "-C", ROOT, "rev-parse", "--short=12", f"{name}^{{commit}}").strip() for name in ("HEAD", options.against) if name]
    if machine.commit().endswith("+"):
        print("bench/minutes.sh: uncommitted changes are not measured", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="palimpsest-minutes.") as work:
        figures, builds, well = measure(options, commits, pathlib.Path(work))
    about = {"date": datetime.date.today().isoformat(), "rounds": options.rounds}
    about |= {name: value for name, value in machine.describe().items() if name in ("processor", "cores", "instructions", "memory_gb", "system")}
    print_table(about, figures)
    for commit, outputs in builds.items():
        print_build(commit, outputs)
    if options.json:
        options.json.write_text(json.dumps(about | {"figures": [dataclasses.asdict(figure) for figure in figures], "builds": builds}, indent=1) + "\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
