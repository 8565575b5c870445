"""The defaults in the package are the program's."""

import json
import os
import re
import subprocess
from importlib import resources


def test_defaults_are_those_of_the_program():
    from program import PROGRAM

    inputs = {"pack": "P", "protocol": "Q", "backbone": "B"}
    words = [word for name, value in inputs.items() for word in (f"--{name}", value)]
    shown = subprocess.run([PROGRAM, "train", *words, "--print-config"], capture_output=True, text=True, check=True).stdout
    expected = {name: value.strip('"') for name, value in re.findall(r"^([a-z-]+) = (.*)$", shown, re.MULTILINE)} | dict.fromkeys(inputs, "")
    expected["out"] = os.path.relpath(expected["out"])
    listed = subprocess.run([PROGRAM, "train", "--help", "all"], capture_output=True, text=True, check=True).stdout
    operational = set(re.findall(r"^ \*--([a-z-]+)", listed, re.MULTILINE))
    found = json.loads(resources.files("palimpsest.pages").joinpath("defaults.json").read_text())
    assert found["recorded"] | found["operational"] == expected
    assert set(found["operational"]) == operational
