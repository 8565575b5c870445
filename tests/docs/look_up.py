"""Looks a command up: its program, options and files must be there. What --help lists is what a program knows."""

import functools
import glob
import json
import pathlib
import re
import shlex
import subprocess
import sys

from page import ROOT
from stand_in import BUILD

VERBS = ("train", "eval", "predict", "generate", "plan", "doctor")
TOOLS = ("inspect", "diff", "verify", "merge", "export")
PYTHON_PROGRAMS = ("palimpsest-pack", "palimpsest-report", "palimpsest-generate")
PACK_VERBS = ("backbone", "debian", "wordnet", "glyphs", "instructions", "images", "texts", "chat", "protocol", "show")
# Folders whose files a command or a text may name; what isn't there is a mistake, except for files that are the reader's own.
FOLDERS = ("bench", "checkpoints_schema", "cmake", "configs", "docs", "include", "launch", "src", "tests", "tools")
READERS_OWN = ("configs/mine.cfg", "src/merge/bounded.cpp", "tests/merge/bounded_test.cpp", "src/perturbation/pair.cpp", "tests/parts/perturbation_pair_test.cpp")
TARGETS = ("src/all", "tools/all")  # CMake's, and no files
# Options of other programs that texts name by themselves.
OTHERS = ("--bind-to", "--build-arg", "--gpus-per-task", "--hostfile", "--isolation", "--mpi", "--oversubscribe", "--shm-size", "--signal",
          "--system-site-packages", "--version")
FORMER = ("--max-tokens",)  # that the changelog names


@functools.cache
def help_of(*command):
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(map(str, command))} --help: exit code {done.returncode}\n{done.stderr}"
    return done.stdout


def help_of_program(name, verb=None):
    """What the program or script says to --help, with that of the program that gets its other arguments."""
    if name == "palimpsest":
        own = help_of(BUILD / "src" / name, verb) if verb in VERBS else help_of(BUILD / "src" / name)
        return own if verb in (None, "train") else own + help_of_program("palimpsest", "train")
    if name in [f"palimpsest-{tool}" for tool in TOOLS]:
        return help_of(BUILD / "tools" / name)
    if name in PYTHON_PROGRAMS:
        return help_of(sys.executable, ROOT / "tools" / name, *([verb] if verb else []))
    if name.endswith(".sbatch"):
        return help_of_program("palimpsest", "train")
    return help_of(name) + (help_of_program("palimpsest", "train") if name == "launch/sweep.sh" else "")


@functools.cache
def everything():
    """Every --help there is, for options that a text names without their program."""
    programs = [("palimpsest", verb) for verb in VERBS] + [(f"palimpsest-{tool}", None) for tool in TOOLS]
    programs += [("palimpsest-report", None), ("palimpsest-generate", None)] + [("palimpsest-pack", verb) for verb in PACK_VERBS]
    scripts = [f"launch/{name}.sh" for name in ("setup", "quickstart", "bundle", "sweep")] + ["bench/run.sh"]
    return "".join(help_of_program(*program) for program in programs) + "".join(help_of_program(script) for script in scripts)


def knows(text, option):
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


def options_of(words):
    return [word.split("=")[0] for word in words if re.match(r"--[a-z]", word) and word != "--help"]


def unknown_options(text, name, options):
    return [f"{name} has no option {option}" for option in options if not knows(text, option)]


def missing_files(words):
    def is_there(path):
        return path in READERS_OWN + TARGETS or "<" in path or glob.glob(path, root_dir=ROOT)

    paths = [word.rstrip("/") for word in words if re.match(rf"({'|'.join(FOLDERS)})/[\w./*-]+$", word)]
    return [f"there is no {path}" for path in paths if not is_there(path)]


def cmake_problems(words):
    """Presets, targets and variables of a call of cmake that configures or builds."""
    with open(ROOT / "CMakePresets.json") as file:
        presets = [preset["name"] for preset in json.load(file)["configurePresets"]]
    described = "".join(path.read_text() for path in [ROOT / "CMakeLists.txt", *ROOT.glob("cmake/*"), *ROOT.glob("*/CMakeLists.txt")])
    found = []
    for option, value in zip(words, words[1:]):
        if option == "--preset" and value not in presets:
            found.append(f"cmake has no preset {value}")
        if option == "-D" and (name := value.split("=")[0]).startswith("PALIMPSEST") and name not in described:
            found.append(f"nothing reads the variable {name}")
    if "--target" in words:
        targets = subprocess.run(["cmake", "--build", BUILD, "--target", "help"], capture_output=True, text=True, check=True).stdout
        found += [f"cmake has no target {word}" for word in words[words.index("--target") + 1 :]
                  if f"\n{word}: " not in targets and word not in TARGETS]
    return found


def command_words(command, assignments):
    """The words of each program of a line, with the page's own variables put in."""
    for line in assignments:
        name, _, value = line.partition("=")
        command = re.sub(rf"\${name}\b", lambda _: value.split("#")[0].strip(' "'), command)
    try:
        words = shlex.split(command, comments=True)
    except ValueError:  # a text with an apostrophe
        return []
    parts = [[]]
    for word in words:
        if word in ("&&", "|", ">"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def program_of(words):
    """(place in words, name) of our program, behind whatever starts it."""
    for place, word in enumerate(words):
        name = pathlib.PurePath(word).name
        if re.fullmatch(r"palimpsest(-[a-z]+)?", name) and words[place + 1 : place + 2] != [name]:  # as an image is called, too
            return place, name
        if word.endswith((".sh", ".sbatch")) and "/" in word and word != "launch/mpirun.sh":
            return place, word
    return None, None


def problems(command, assignments=()):
    found = []
    for words in command_words(command, assignments):
        found += missing_files(words)
        place, name = program_of(words)
        if words[0] == "cmake":
            found += cmake_problems(words)
        elif name is not None:
            rest = words[place + 1 :]
            verb = rest[0] if rest and name in ("palimpsest", "palimpsest-pack") and re.fullmatch("[a-z]+", rest[0]) else None
            if name == "palimpsest" and verb not in (None, *VERBS):
                found.append(f"palimpsest has no command {verb}")
            options = options_of(rest)
            if name.startswith("palimpsest-") and name not in (*PYTHON_PROGRAMS, *(f"palimpsest-{tool}" for tool in TOOLS)):
                found.append(f"there is no program {name}")
            elif options:
                found += unknown_options(help_of_program(name, verb), name, options)
        elif words[0].startswith("--"):
            found += unknown_options(everything(), "no program", [option for option in options_of(words) if option not in OTHERS + FORMER])
    return found
