"""palimpsest predict: the same table at every number of ranks, and the logits that exported models give in timm and transformers."""

import csv
import json
import os
import subprocess

import h5py
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import transformers
from program import MPIRUN, PROGRAM

EXPORT = os.environ["PALIMPSEST_EXPORT"]
TOLERANCE = 1e-5


def predict(run, out, *options, ranks=1, code=0):
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    command = [*launcher, PROGRAM, "predict", "--weights", run, "--out", out, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def logits_in(rows):
    names = [name for name in rows[0] if name.startswith("logit of ")]
    return torch.tensor([[float(row[name]) for name in names] for row in rows])


def samples_of(pack):
    """(bytes, shape) of every sample."""
    with h5py.File(pack) as file:
        data, offsets, shapes = file["bytes"][:], file["offsets"][:], file["shape"][:]
    return [(data[a:b], shape) for a, b, shape in zip(offsets[:-1], offsets[1:], shapes)]


def test_texts_as_the_exported_model_has_them(toy, reference_run, tmp_path):
    report = json.loads(predict(reference_run, tmp_path / "one.csv", "--scores", "logits", "--json"))
    predict(reference_run, tmp_path / "two.csv", "--scores", "logits", ranks=2)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    rows = table(tmp_path / "one.csv")
    pack = samples_of(toy.path("pack.h5"))
    assert [int(row["sample"]) for row in rows] == list(range(len(pack)))

    subprocess.run([EXPORT, reference_run, "--out", tmp_path / "model"], check=True, capture_output=True)
    model = transformers.AutoModel.from_pretrained(tmp_path / "model").eval()
    head = safetensors.torch.load_file(tmp_path / "model" / "heads.safetensors")
    with torch.no_grad():
        features = torch.stack([
            model(torch.from_numpy(data.view("<i4").astype("i8"))[None]).last_hidden_state[0].mean(0) for data, _ in pack
        ])
    expected = features @ head["weight"].T + head["bias"]
    torch.testing.assert_close(logits_in(rows), expected, atol=TOLERANCE, rtol=0)

    probabilities = expected.double().softmax(1)
    order = probabilities.argsort(1, descending=True)
    right = [f"class {order[i, 0]}" == row["label"] for i, row in enumerate(rows)]
    for i, row in enumerate(rows):
        assert [row[f"class_{k + 1}"] for k in range(5)] == [f"class {c}" for c in order[i, :5].tolist()]
        assert float(row["probability_2"]) == pytest.approx(probabilities[i, order[i, 1]].item(), abs=1e-5)
        assert row["correct"] == str(int(right[i]))
    assert report["accuracy"] == pytest.approx(np.mean(right))
    chosen = np.array([row["class_1"] for row in rows])
    labels = np.array([row["label"] for row in rows])
    for entry in report["classes"]:
        both = np.sum((chosen == entry["class"]) & (labels == entry["class"]))
        assert entry["recall"] == pytest.approx(both / np.sum(labels == entry["class"]))
        if np.any(chosen == entry["class"]):
            assert entry["precision"] == pytest.approx(both / np.sum(chosen == entry["class"]))
        else:
            assert entry["precision"] is None


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["own", "hf5"])
def test_images_as_the_exported_model_has_them(vision_toy, dialect, tmp_path):
    vision_toy.run("--tasks", 2, "--resume", "auto", out="predict")
    run = vision_toy.path("runs", "predict")
    predict(run, tmp_path / "out.csv", "--scores", "logits", "--split", "test", "--image-transform", "resize-crop:size=32,crop=1")
    rows = table(tmp_path / "out.csv")
    pack = samples_of(vision_toy.path("pack.h5"))
    images = np.stack([pack[int(row["sample"])][0].reshape(32, 32, 3) for row in rows])
    inputs = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    subprocess.run([EXPORT, run, "--out", tmp_path / "model", "--dialect", dialect], check=True, capture_output=True)
    with torch.no_grad():
        if dialect == "own":
            found = timm.create_model(f"local-dir:{tmp_path / 'model'}", pretrained=True).eval()(inputs)
        else:
            found = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "model").eval()(inputs).logits
    torch.testing.assert_close(logits_in(rows), found, atol=TOLERANCE, rtol=0)
    unknown = [row for row in rows if row["correct"] == ""]
    assert len(unknown) == len(rows) / 2, "four of eight classes were learned"


def test_what_it_cannot_do_is_refused(reference_run, vision_toy, tmp_path):
    out = tmp_path / "out.csv"
    assert "holds images, but the backbone" in predict(reference_run, out, "--pack", vision_toy.path("pack.h5"), code=3)
    assert "scores = 'odds' is not possible: it takes none, probabilities or logits" in predict(reference_run, out, "--scores", "odds", code=2)
    assert "split = 'validation' is not possible: it takes all, train or test" in predict(reference_run, out, "--split", "validation", code=2)
    assert "top = '0' is not possible: it takes a whole number" in predict(reference_run, out, "--top", 0, code=2)
    assert not out.exists()
