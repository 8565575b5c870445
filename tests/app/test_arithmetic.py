"""The bits of a toy run are those recorded for this kind of processor, as long as the program's number of its arithmetic is the same.

A run that was saved with one number isn't continued by a program that has another. So a change of kernels, of the order of sums or of how
batches are split must raise the number (src/device/placement.cpp, one for each precision). Where this test fails: raise it, and call
    PALIMPSEST_RECORD_BITS=1 pytest tests/app/test_arithmetic.py
on every kind of processor there is. `portable` is a processor of 2008, as far as libraries can be set to compute as on one: the same bits on all
processors. A native kind that isn't recorded is skipped, by name.
"""

import hashlib
import json
import os
import pathlib

import h5py
import numpy as np
import pytest
import safetensors.numpy
import toy as toy_module
from memory import memory_of
from program import Toy

RECORDED = pathlib.Path(__file__).with_name("golden_bits.json")
RECORDS = os.environ.get("PALIMPSEST_RECORD_BITS") == "1"
# What chooses kernels: of LibTorch, MKL, oneDNN and the C library.
PORTABLE = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-FMA,-FMA4",
}
STREAMS = {
    "texts": (toy_module.make, ["--epochs", 2]),
    "images": (toy_module.make_vision, ["--epochs", 1, "--perturbation", "stratified", "--augmentation", "rand-augment:min-scale=0.5"]),
}


def write_uniform_weights(folder):
    """Weights that follow from exact arithmetic alone: LibTorch's random numbers depend on the processor."""
    path = os.path.join(folder, "model.safetensors")
    rng = np.random.default_rng(1)
    weights = {}
    for name, value in sorted(safetensors.numpy.load_file(path).items()):
        spread = rng.uniform(-0.5, 0.5, value.shape)
        weights[name] = (1 + spread / 4 if "norm" in name.lower() and name.endswith("weight") else spread).astype(value.dtype)
    safetensors.numpy.save_file(weights, path, metadata={"format": "pt"})


@pytest.fixture(scope="module")
def streams(tmp_path_factory):
    made = {}
    for name, (make, _) in STREAMS.items():
        made[name] = Toy(str(tmp_path_factory.mktemp(name)), make)
        write_uniform_weights(made[name].path("backbone"))
    return made


def arrays_of(file):
    arrays = {}
    file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def arrays_of_state(state):
    """The memory under the names of format 1, which the bits were recorded by, with S0 and S1 by module."""
    arrays = {name: values for name, values in arrays_of(state).items() if not name.startswith("memory")}
    for name, values in memory_of(state).items():
        if name.startswith("curvature/"):
            begin = 0
            for module in sorted(state["weights"]):
                size = state["weights"][module].size
                arrays[f"curvature/{name[-2:]}/{module}"] = values[begin : begin + size]
                begin += size
        else:
            arrays[name.replace("head/linear/", "heads/")] = values
    return arrays


def bits_of(run):
    """SHA-256 over all arrays of real numbers in a run's tasks and newest state."""
    digest = hashlib.sha256()
    for path in [*sorted(pathlib.Path(run, "tasks").glob("*.h5")), pathlib.Path(run, "state-0003.h5")]:
        with h5py.File(path) as file:
            arrays = arrays_of_state(file) if "stream" in file else arrays_of(file)
            for name in sorted(arrays):
                if arrays[name].dtype.kind == "f" and not name.startswith("metrics/seconds"):
                    digest.update(f"{path.name}/{name}\0".encode() + arrays[name].tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["portable", "native"])
def test_bits_change_with_the_number_only(streams, monkeypatch, kind, precision):
    for name, value in PORTABLE.items() if kind == "portable" else ():
        monkeypatch.setenv(name, value)
    found = {}
    for name, (_, options) in STREAMS.items():
        out = f"{kind}-{precision}"
        streams[name].run("--precision", precision, *options, out=out)
        with open(streams[name].path("runs", out, "run.json")) as file:
            numerics = json.load(file)["numerics"]
        found[name] = bits_of(streams[name].path("runs", out))
    found = {"arithmetic": numerics["arithmetic"], **found}
    processor = "portable" if kind == "portable" else f"{numerics['processor']}, {numerics['instruction_set']}"
    check(f"{processor}, torch {numerics['torch'].partition('+')[0]}, {precision}", found)


def check(key, found):
    recorded = json.loads(RECORDED.read_text())
    known = recorded.get(key)
    if known is None and not RECORDS:
        pytest.skip(f"no bits are recorded of '{key}'; PALIMPSEST_RECORD_BITS=1 records them")
    if known is not None and known["arithmetic"] == found["arithmetic"]:
        assert found == known, f"the bits of '{key}' changed, and the number of the arithmetic did not: raise it in src/device/placement.cpp"
    elif RECORDS:
        RECORDED.write_text(json.dumps(recorded | {key: found}, indent=1, sort_keys=True) + "\n")
    else:
        pytest.fail(f"the number of the arithmetic was raised to {found['arithmetic']}: record the bits of '{key}' (see above)")
