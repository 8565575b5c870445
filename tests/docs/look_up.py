"""Looks a command up: its program, options and files must be there. What --help lists is what a program knows."""

import functools
import glob
import itertools
import json
import pathlib
import re
import shlex
import subprocess

from page import ROOT
from stand_in import BUILD

TRAINER_VERBS = ("train", "eval", "predict", "generate", "plan", "doctor")
VERBS = (*TRAINER_VERBS, "inspect", "diff", "verify", "merge", "export", "pack", "report", "help")
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


def help_of_program(name, verb=None, of_pack=None):
    """What the program or script says to --help, with that of the program that gets its other arguments. of_pack: a verb of palimpsest pack."""
    palimpsest = BUILD / "src" / "palimpsest"
    if name == "palimpsest":
        settings = every_setting() if verb in TRAINER_VERBS else ""
        of_script = help_of(palimpsest, verb, "--prompt", "text") if verb == "generate" else ""
        return help_of(palimpsest, *filter(None, (verb, of_pack))) + settings + of_script
    if name.endswith(".sbatch"):
        return help_of_program("palimpsest", "train")
    return help_of(name) + (help_of_program("palimpsest", "train") if name == "launch/sweep.sh" else "")


@functools.cache
def every_setting():
    return subprocess.run([BUILD / "src" / "palimpsest", "help", "train", "all"], capture_output=True, text=True, timeout=60, check=True).stdout


@functools.cache
def everything():
    """Every --help there is, for options that a text names without their program."""
    programs = [("palimpsest", verb) for verb in VERBS] + [("palimpsest", "pack", verb) for verb in PACK_VERBS]
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
            if name.startswith("palimpsest-"):  # the program of a verb
                name, rest = "palimpsest", [name.removeprefix("palimpsest-"), *rest]
            verbs = list(itertools.takewhile(re.compile("[a-z]+").fullmatch, rest)) if name == "palimpsest" else []
            verb = verbs[0] if verbs else None
            of_pack = verbs[1] if verb == "pack" and verbs[1:] and verbs[1] in PACK_VERBS else None
            options = options_of(rest)
            if verb not in (None, *VERBS):
                found.append(f"palimpsest has no verb {verb}")
            elif options:
                found += unknown_options(help_of_program(name, verb, of_pack), name, options)
        elif words[0].startswith("--"):
            found += unknown_options(everything(), "no program", [option for option in options_of(words) if option not in OTHERS + FORMER])
    return found
