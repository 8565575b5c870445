"""The JSON Schemas of checkpoints_schema/ and palimpsest verify agree on what is a manifest, a protocol, a run.json."""

import copy
import glob
import json
import os
import shutil
import subprocess

import jsonschema
import pytest
from program import ROOT

SCHEMAS = os.path.join(ROOT, "checkpoints_schema")
FOLDERS = sorted(glob.glob(os.path.join(SCHEMAS, "golden", "[0-9]*")))
PROTOCOLS = sorted(glob.glob(os.path.join(ROOT, "configs", "protocols", "*.json")))
VERIFY = os.path.join(os.path.dirname(os.environ["PALIMPSEST_INSPECT"]), "palimpsest-verify")


def load(path):
    with open(path) as file:
        return json.load(file)


def schema_of(kind):
    schema = load(os.path.join(SCHEMAS, f"{kind}.schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_what_the_program_writes_is_as_described(toy, reference_run):
    for run in [*(os.path.join(folder, "run") for folder in FOLDERS), toy.path("runs", "reference")]:
        for kind in ("manifest", "run"):
            schema_of(kind).validate(load(os.path.join(run, f"{kind}.json")))


@pytest.mark.parametrize("path", PROTOCOLS, ids=os.path.basename)
def test_the_protocols_are_as_described(path):
    schema_of("protocol").validate(load(path))


def damaged(whole):
    """{what: copy} of a JSON object: each field that must be there removed, and of another type, at every level."""

    def walk(value, path):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            if isinstance(value[key], (dict, list)):
                yield from walk(value[key], (*path, key))

    for path in walk(whole, ()):
        changes = [("another type", [[]] if not isinstance(path[-1], str) or path[-1] != "classes" else 7)]
        if isinstance(path[-1], str):
            changes.append(("missing", None))
        for what, value in changes:
            other = copy.deepcopy(whole)
            inner = other
            for key in path[:-1]:
                inner = inner[key]
            if value is None:
                del inner[path[-1]]
            else:
                inner[path[-1]] = value
            yield f"{'.'.join(map(str, path))} {what}", other


def is_whole(path):
    return subprocess.run([VERIFY, path], capture_output=True, text=True, timeout=60).returncode == 0


@pytest.mark.parametrize("kind", ["manifest", "protocol"])
def test_what_the_schema_refuses_is_refused_by_verify(kind, tmp_path):
    folder = tmp_path / "golden"
    shutil.copytree(FOLDERS[-1], folder)
    path = folder / "run" / "manifest.json" if kind == "manifest" else folder / "protocol.json"
    schema, whole, refused = schema_of(kind), load(path), 0
    if kind == "protocol":
        whole["tasks"][0]["labels"] = [f"label {name}" for name in whole["tasks"][0]["classes"]]
        path.write_text(json.dumps(whole))
    schema.validate(whole)
    assert is_whole(path)
    for what, other in damaged(whole):
        path.write_text(json.dumps(other))
        if not schema.is_valid(other):
            refused += 1
            assert not is_whole(path), f"{kind}: {what} is refused by the schema alone"
    assert refused > 10
