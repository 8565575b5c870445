"""The program palimpsest: where it is, and what it is called with."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing

from ..errors import InputError

VARIABLE = "PALIMPSEST"
# What it says of every pack but that of the run.
_EXPECTED_REMARK = "is not the pack that the weights were trained on"


def find_program() -> str:
    """The path of the program. Raises InputError where there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise InputError(f"{VARIABLE}: expected the path of the program palimpsest, found {named!r}, which is not executable or does not exist")
        return found
    here = pathlib.Path(sys.argv[0]).resolve().parent
    places = [here / "palimpsest", here.parent / "build" / "release" / "src" / "palimpsest"]  # install prefix, source tree
    found = next((str(place) for place in places if place.is_file() and os.access(place, os.X_OK)), None) or shutil.which("palimpsest")
    if found is None:
        raise InputError(
            "the program palimpsest was not found in build/release/src, beside this program or on the PATH. "
            f"Build it (launch/quickstart.sh or cmake --build), or set {VARIABLE} to its path"
        )
    return found


def generate(program: str, weights: str, backbone: str, pack: pathlib.Path, limit: int) -> tuple[int, list[dict[str, typing.Any]]]:
    """(exit code, the output of `palimpsest generate` for each sample of the pack). Its error messages are printed."""
    out = pack.with_name("completions.jsonl")
    command = [program, "generate", "--weights", weights, "--pack", pack, "--backbone", backbone, "--split", "all", "--limit", limit, "--out", out]
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if _EXPECTED_REMARK not in line]
    if said:
        print("\n".join(said), file=sys.stderr)
    if done.returncode != 0:
        return done.returncode if done.returncode > 0 else 1, []
    return 0, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
