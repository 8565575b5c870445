"""Every kind of bad input: one clear error and the exit code of its kind, before anything is computed."""

import json
import os
import shutil
import struct
import subprocess

import pytest
import toy as toy_module
from program import PROGRAM
from tiers import quick


def copy(toy, name, *, keep=None, change=None):
    """A copy of a file or folder of the toy, its bytes cut or changed."""
    source, target = toy.path(name), toy.path("bad-" + os.path.basename(name))
    if os.path.isdir(source):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        file = os.path.join(target, "model.safetensors")
    else:
        shutil.copy(source, target)
        file = target
    with open(file, "rb") as stream:
        data = bytearray(stream.read())
    if keep is not None:
        data = data[: int(len(data) * keep)]
    if change:
        data = change(data)
    with open(file, "wb") as stream:
        stream.write(data)
    return target


@pytest.mark.parametrize("keep", quick(1, [0.5, 0, 0.0001, 0.999]))
def test_truncated_weights(toy, keep):
    text = toy.run("--backbone", copy(toy, "backbone", keep=keep), out="bad", code=3)
    assert "model.safetensors" in text


def test_weights_without_a_tensor(toy):
    def rename(data):
        return data.replace(b"encoder.layer.1.output.dense.bias", b"encoder.layer.1.output.dense.bios")

    text = toy.run("--backbone", copy(toy, "backbone", change=rename), out="bad", code=3)
    assert "encoder.layer.1.output.dense.bias" in text and "nearest name" in text


@pytest.mark.slow
def test_weights_of_another_shape(toy):
    target = copy(toy, "backbone")
    with open(os.path.join(target, "config.json")) as file:
        config = json.load(file)
    with open(os.path.join(target, "config.json"), "w") as file:
        json.dump(config | {"intermediate_size": 128}, file)
    text = toy.run("--backbone", target, out="bad", code=3)
    assert "intermediate.dense.weight" in text and "[128, 32]" in text and "[64, 32]" in text


@pytest.mark.slow
def test_a_header_that_claims_more_than_there_is(toy):
    text = toy.run("--backbone", copy(toy, "backbone", change=lambda data: struct.pack("<Q", 1 << 40) + data[8:]), out="bad", code=3)
    assert "model.safetensors" in text


@pytest.mark.parametrize("keep", quick(1, [0.3, 0, 0.9]))
def test_truncated_pack(toy, keep):
    assert "bad-pack.h5" in toy.run("--pack", copy(toy, "pack.h5", keep=keep), out="bad", code=3)


def test_a_flipped_bit_in_a_sample(toy):
    def flip(data):
        data[4096 + 100] ^= 1  # /bytes begins at a page
        return data

    text = toy.run("--pack", copy(toy, "pack.h5", change=flip), out="bad-sample", code=3)
    assert "bad-pack.h5" in text and "content_sha256" in text


@pytest.mark.slow
def test_a_record_given_as_a_pack(toy, reference_run):
    text = toy.run("--pack", os.path.join(reference_run, "state-0003.h5"), out="bad", code=3)
    assert "pack" in text and "state" in text


def test_a_protocol_that_does_not_fit_the_pack(toy):
    path = toy.path("unfit.json")
    toy_module.make_protocol(path, tasks=[{"name": "task 1", "classes": ["class 0", "class 99"]}])
    assert "class 99" in toy.run("--protocol", path, out="bad", code=3)
    toy_module.make_protocol(path, train_per_class=21)
    text = toy.run("--protocol", path, out="bad", code=3)
    assert "20 training samples" in text and "takes 21" in text


@pytest.mark.slow
def test_too_few_classes_or_tasks(toy):
    path = toy.path("few.json")
    toy_module.make_protocol(path, tasks=[{"name": "task 1", "classes": []}])
    assert "tasks[0].classes" in toy.run("--protocol", path, out="bad", code=3)
    toy_module.make_protocol(path, tasks=[{"name": "task 1", "classes": ["class 0"]}])
    assert "at least two" in toy.run("--protocol", path, out="bad", code=3)
    toy_module.make_protocol(path, tasks=[])
    assert "tasks" in toy.run("--protocol", path, out="bad", code=3)
    assert "has 4" in toy.run("--tasks", 5, out="bad", code=2)


def test_settings(toy):
    assert "epochs" in toy.run("--epoch", 5, out="bad", code=2)
    assert "did you mean 'epsilon'?" in toy.run("--perturbation", "sign:epsilom=0.5", out="bad", code=2)
    assert "batch" in toy.run("--batch", 0, out="bad", code=2)
    assert "closed-form" in toy.run("--merge", "closedform", out="bad", code=2)
    done = subprocess.run([PROGRAM, "train", "--config", "missing.cfg"], capture_output=True, text=True)
    assert done.returncode == 2 and "missing.cfg" in done.stderr


@pytest.mark.parametrize("setting", quick(1, ["pack", "protocol", "backbone"]))
def test_an_input_that_is_not_there_says_what_makes_it(toy, setting):
    text = toy.run(f"--{setting}", toy.path("missing"), out="bad", code=3)
    assert toy.path("missing") in text and "found nothing there" in text and "docs/your-data.md" in text


def test_a_missing_pack_of_a_stream_that_has_a_script_names_it(toy):
    assert "launch/data.sh glyphs makes it" in toy.run("--pack", toy.path("glyphs.h5"), out="bad", code=3)


def test_a_file_of_another_kind_is_called_that(toy):
    text = toy.run("--pack", toy.path("protocol.json"), out="bad", code=3)
    assert "found another kind of file" in text and "palimpsest pack" in text, text
    text = toy.run("--protocol", toy.path("pack.h5"), out="bad", code=3)
    assert "expected JSON" in text and "of another kind" in text, text


def test_a_pack_of_another_tokenizer_is_remarked_on(toy):
    backbone = copy(toy, "backbone")

    def dry_run(vocabulary):
        tokenizer = {"model": {"vocab": {f"token {i}": i for i in range(vocabulary)}}, "added_tokens": [{"content": "token 0"}, {"content": "[X]"}]}
        with open(os.path.join(backbone, "tokenizer.json"), "w") as file:
            json.dump(tokenizer, file)
        return toy.run("--backbone", backbone, "--dry-run", out="bad")

    assert f"a tokenizer of 64 tokens, and that of {backbone} has 63" in dry_run(62)
    assert "Pack again" not in dry_run(63)


def test_errors_that_all_ranks_meet_are_reported_once(toy):
    text = toy.run("--pack", toy.path("missing.h5"), ranks=3, out="bad", code=3)
    assert text.count("palimpsest: ") == 1, text


@pytest.mark.slow
def test_nothing_was_written_for_runs_that_never_began(toy):
    toy.run("--pack", toy.path("missing.h5"), out="never", code=3)
    assert not os.path.exists(toy.path("runs", "never"))
