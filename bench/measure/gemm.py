"""The machine's best rate of matrix products: every library that Python reaches, on all ranks' cores at once.

As a program (python -m measure.gemm): what one rank reaches, in JSON, by library and shape."""

import json
import os
import subprocess
import sys
import time

from . import machine
from .inputs import ROOT
from .process import ended_with_us

# (rows, in, out): layers of MiniLM, ViT-S and ViT-B. A lane of the works has about 91, 1,028 and 394 rows; fewer rows
# are slower, so that the goal is no easier for MiniLM.
SHAPES = ((256, 384, 1152), (256, 384, 1536), (256, 1536, 384), (1028, 384, 1536), (394, 768, 3072), (394, 3072, 768))
SECONDS = 0.5  # for each library and shape
LIBRARIES = ("mkl", "switch", "onednn", "openblas")  # switch: left out where it may multiply in bf16


def products(library, rows, width, out):
    """A function that multiplies [rows, width] by [width, out], by this library."""
    if library == "openblas":
        import numpy as np

        random = np.random.default_rng(1)
        x, w = (random.standard_normal(shape, dtype=np.float32) for shape in ((rows, width), (width, out)))
        y = np.empty((rows, out), dtype=np.float32)
        return lambda: np.matmul(x, w, out=y)
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.backends.mkldnn.matmul.fp32_precision = "bf16" if library == "switch" else "ieee"
    x, w = torch.randn(rows, width), torch.randn(out, width)
    if library == "onednn":
        packed = torch.ops.mkldnn._reorder_linear_weight(w, rows)
        return lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
    return lambda: torch.nn.functional.linear(x, w)


def fp32_libraries():
    return [name for name in LIBRARIES if not (name == "switch" and machine.has_amx())]


def rate(library, shape):
    """Operations a second."""
    multiply = products(library, *shape)
    for _ in range(3):
        multiply()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        multiply()
        count += 1
    return 2 * shape[0] * shape[1] * shape[2] * count / (time.perf_counter() - began)


def measure(ranks):
    """Of all ranks together, by "library rows x in x out"."""
    environment = {n: v for n, v in os.environ.items() if n not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    one_thread = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment.update(dict.fromkeys(one_thread, "1"), PYTHONPATH=str(ROOT / "bench"))
    command = [sys.executable, "-m", "measure.gemm", str(time.time() + 8)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(ranks)]
    with ended_with_us(running):
        found = [json.loads(process.communicate()[0]) for process in running]
    return {name: sum(rates[name] for rates in found) for name in found[0]}


def device_rate(device, shapes):
    """Operations a second of the fastest of these products in bf16 of torch, by shape; on random numbers."""
    import torch

    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    rates = {}
    for rows, width, out in shapes:
        x, w = (torch.randn(size, device=device, dtype=torch.bfloat16) for size in ((rows, width), (width, out)))
        count, repeats = 0, 5
        for _ in range(repeats):
            x @ w
        wait()
        began = time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            for _ in range(repeats):
                x @ w
            wait()
            count += repeats
        rates[f"{rows} x {width} x {out}"] = 2 * rows * width * out * count / (time.perf_counter() - began)
    return rates


if __name__ == "__main__":
    import torch  # noqa: F401  before the common start

    time.sleep(max(0.0, float(sys.argv[1]) - time.time()))
    rates = {f"{name} {' x '.join(map(str, shape))}": rate(name, shape) for name in fp32_libraries() for shape in SHAPES}
    json.dump(rates, sys.stdout)
