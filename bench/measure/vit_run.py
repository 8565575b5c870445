"""Writes a run of many tasks at the size of ViT-B/16, with random numbers: what palimpsest merge is timed on.

    python bench/measure/vit_run.py FOLDER [--tasks 20] [--blocks 12] [--width 768] [--rank 10]
    time palimpsest merge FOLDER

Every task is merged by the closed form in NumPy; palimpsest merge must find the recorded hashes again, bit for bit.
"""

import argparse
import hashlib
import json
import os

import google_crc32c
import h5py
import numpy as np


class Record:
    """An HDF5 file as checkpoints_schema/README.md describes it, hash included."""

    def __init__(self, path, kind):
        self.path, self.hashed = path, {}
        self.file = h5py.File(path, "w", libver=("v108", "v110"))
        for name, text in (("palimpsest_type", kind), ("palimpsest_version", "1.2.0"), ("writer", "bench")):
            self.put(f"/@{name}", text, hashed=False)

    def put(self, path, value, hashed=True):
        if isinstance(value, str):
            value, code = np.array(value.encode() or b"\0", dtype=f"S{max(1, len(value.encode()))}"), "str"
        elif isinstance(value, list):
            value, code = np.array([text.encode() for text in value]), "str"
        else:
            value = np.asarray(value)
            code = value.dtype.str[1:]
        dtype = h5py.string_dtype("utf-8", value.dtype.itemsize) if code == "str" else value.dtype
        owner, _, name = path.partition("@")
        if name:
            self.file.require_group(owner).attrs.create(name, value, dtype=dtype)
        else:
            made = self.file.create_dataset(path, data=value.astype(dtype) if code == "str" else value, dtype=dtype)
            made.attrs["crc32c"] = np.uint32(google_crc32c.value(np.ascontiguousarray(value).tobytes()))
        if hashed:
            payload = b"".join(text + b"\0" for text in value.ravel()) if code == "str" else value.tobytes()
            dims = ",".join(map(str, value.shape))
            self.hashed[path] = f"{path}\0{code}\0{dims}\0".encode(), payload

    def close(self):
        digest = hashlib.sha256()
        for path in sorted(self.hashed):
            for part in self.hashed[path]:
                digest.update(part)
        self.put("/@content_sha256", digest.hexdigest(), hashed=False)
        self.file.close()
        with open(self.path, "rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "content_sha256": digest.hexdigest()}


def interleaved_sum(values):
    """As curvature_memory.cpp adds: eight sums, then these in order."""
    whole = len(values) // 8 * 8
    sums = np.add.accumulate(values[:whole].reshape(-1, 8), axis=0)[-1]
    for k, value in enumerate(values[whole:]):
        sums[k] += value
    total = 0.0
    for part in sums:
        total += part
    return total


def task_vector(a, b, scale):
    total = np.zeros((b.shape[0], a.shape[1]))
    for k in range(a.shape[0]):
        total += np.outer(b[:, k].astype("f8"), a[k].astype("f8"))
    return (scale * total).astype("f4")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--rank", type=int, default=10)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    width, rank = arguments.width, arguments.rank
    modules = sorted(f"blocks.{block}.attn.{part}" for block in range(arguments.blocks) for part in ("key", "value"))
    size = width * width
    s0, s1 = np.zeros((len(modules), size)), np.zeros((len(modules), size))
    merged = np.zeros((len(modules), size), "f4")
    os.makedirs(os.path.join(arguments.folder, "tasks"))
    hash_before, files, rows = hashlib.sha256(merged.tobytes()).hexdigest(), {}, []
    for task in range(arguments.tasks):
        name = f"tasks/task-{task:04}.h5"
        record = Record(os.path.join(arguments.folder, name), "task")
        for path, value in {
            "/task@index": np.int64(task), "/task@name": f"task {task + 1}", "/task@train_samples": np.int64(1000),
            "/task@seed": np.uint64(1), "/task/classes": [f"class {2 * task}", f"class {2 * task + 1}"],
            "/base@name": "vit-base", "/base@sha256": "a" * 64, "/pack@content_sha256": "b" * 64, "/config": "{}",
            "/head/weight": rng.normal(size=(2, width)).astype("f4"), "/head/bias": np.zeros(2, "f4"),
            "/fisher@kind": "empirical-per-sample", "/fisher@samples": np.int64(1000), "/fisher@transform": "test",
            "/fisher@scale": "none", "/fisher@factor": np.float64(1),
        }.items():
            record.put(path, value)
        deltas, numerators, denominators = np.empty_like(merged), [], []
        for m, module in enumerate(modules):
            a = rng.uniform(-0.06, 0.06, (rank, width)).astype("f4")
            b = (0.02 * rng.normal(size=(width, rank))).astype("f4")
            fisher = (1e-6 * rng.random((width, width), "f4") ** 4).astype("f4")
            for path, value in (("/A", a), ("/B", b), ("@scale", np.float64(1)), ("@rank", np.int64(rank))):
                record.put(f"/lora/{module}{path}", value)
            record.put(f"/fisher/{module}", fisher)
            deltas[m] = task_vector(a, b, 1.0).ravel()
            star = (merged[m].astype("f8") + deltas[m]).astype("f4")
            s0[m] += fisher.ravel().astype("f8")
            s1[m] += fisher.ravel().astype("f8") * star
            numerators.append(interleaved_sum((s1[m] - s0[m] * merged[m]) * deltas[m].astype("f8")))
            denominators.append(interleaved_sum(s0[m] * deltas[m] * deltas[m].astype("f8")))
        numerator = denominator = 0.0
        for up, down in zip(numerators, denominators):
            numerator, denominator = numerator + up, denominator + down
        unclamped = numerator / denominator if task else 1.0
        alpha = min(max(unclamped, 0.0), 1.0)
        merged = (merged + alpha * deltas.astype("f8")).astype("f4")
        hash_after = hashlib.sha256(merged.tobytes()).hexdigest()
        counts = np.full(task + 1, 50, "i8")
        for path, value in {
            "/merge/rule": json.dumps({"name": "closed-form"}), "/merge/remark": "",
            "/merge/coefficients": np.array([alpha]), "/merge/module_numerators": np.array(numerators),
            "/merge/module_denominators": np.array(denominators), "/merge@alpha_unclamped": np.float64(unclamped),
            "/merge@numerator": np.float64(numerator), "/merge@denominator": np.float64(denominator),
            "/merge@weights_before": hash_before, "/merge@weights_after": hash_after,
        }.items():
            record.put(path, value)
        for when in ("before_merge", "after_merge"):
            for what in ("samples", "correct", "correct_given_task"):
                record.put(f"/metrics/{when}/{what}", counts)
        for loss in ("first_step", "last_pass", "merged_before", "trained"):
            record.put(f"/metrics@loss_{loss}", np.float64(1))
        for seconds in ("train", "fisher", "merge", "evaluate"):
            record.put(f"/metrics/seconds@{seconds}", np.float64(1), hashed=False)
        record.put("/stats@finite", np.uint8(1), hashed=False)
        hash_before = hash_after
        files[name] = record.close()
        print(f"task {task + 1}: alpha {alpha:.4f}", flush=True)
    manifest = {"palimpsest_type": "manifest", "palimpsest_version": "1.2.0", "tasks_done": arguments.tasks,
                "files": files, "log_offsets": {}}
    with open(os.path.join(arguments.folder, "manifest.json"), "w") as file:
        json.dump(manifest, file, indent=1)


if __name__ == "__main__":
    main()
