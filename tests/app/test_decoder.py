"""A stream on a decoder: the same numbers at every number of ranks, and those of transformers; exports open there."""

import json
import os
import shutil
import subprocess

import h5py
import numpy as np
import palimpsest
import peft
import pytest
import torch
import toy as toy_module
import transformers
from memory import heads_of
from palimpsest.pack import pack_file
from program import PROGRAM, Toy
from tiers import quick

EXPORT = os.environ["PALIMPSEST_EXPORT"]
TARGETS = ("query", "key", "value", "output", "gate", "up", "down")
ADAPTER = f"lora:rank=3,alpha=3,targets={'+'.join(TARGETS)}"


def make(folder):
    toy_module.make(folder)
    backbone = os.path.join(folder, "backbone")
    shutil.rmtree(backbone)
    toy_module.make_decoder_backbone(backbone)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """Four tasks; all projections are adapted."""
    made = Toy(str(tmp_path_factory.mktemp("decoder") / "toy"), make)
    made.run("--adapter", ADAPTER, "--classifier", "local,ridge", out="run")
    return made


def merged_model(decoder):
    """transformers' model at the last theta_hat, and the heads' weight and bias."""
    model = transformers.AutoModel.from_pretrained(decoder.path("backbone")).eval()
    with h5py.File(decoder.path("runs", "run", "state-0003.h5"), locking=False) as state, torch.no_grad():
        for name, difference in state["weights"].items():
            model.get_submodule(name).weight.add_(torch.from_numpy(difference[:]))
        heads = heads_of(state)
    return model, *(torch.from_numpy(np.concatenate([head[name] for head in heads])) for name in ("weight", "bias"))


def samples_of(decoder):
    """(token ids, label, whether it is a test sample) of each text."""
    path = decoder.path("pack.h5")
    pack, _ = pack_file.read_pack(path)
    for index, (label, test) in enumerate(zip(pack.labels, pack.split)):
        yield np.frombuffer(pack_file.read_sample(path, pack, index), "<i4"), int(label), bool(test)


def features(model, text):
    return model(torch.from_numpy(text.astype("i8"))[None], use_cache=False).last_hidden_state[0, -1]


@pytest.mark.parametrize("ranks", quick(1, [2, 3, 4]))
def test_the_records_are_the_same_at_every_number_of_ranks(decoder, ranks):
    decoder.run("--adapter", ADAPTER, "--classifier", "local,ridge", ranks=ranks, out=f"ranks-{ranks}")
    assert decoder.records(f"ranks-{ranks}") == decoder.records("run")


def test_a_run_that_stopped_within_a_task_ends_the_same(decoder):
    options = ["--adapter", ADAPTER, "--classifier", "local,ridge", "--resume", "auto"]
    for _ in range(3):
        assert decoder.code(*options, "--stop-after", 1e-9, out="stopped") == 85
    decoder.run(*options, out="stopped")
    assert decoder.records("stopped") == decoder.records("run")


def test_activation_checkpointing_gives_the_same_bits_and_bf16_trains(decoder):
    decoder.run("--adapter", ADAPTER, "--classifier", "local,ridge", "--activation-checkpointing", out="checkpointed")
    assert decoder.records("checkpointed") == decoder.records("run")
    decoder.run("--adapter", ADAPTER, "--precision", "bf16", "--tasks", 2, "--pooling", "mean", out="bf16")


def test_accuracies_are_those_of_transformers(decoder):
    model, weight, bias = merged_model(decoder)
    correct = np.zeros(4, int)
    with torch.no_grad():
        for text, label, test in samples_of(decoder):
            if test:
                correct[label // 2] += int((features(model, text) @ weight.T + bias).argmax()) == label
    assert correct.sum() > 0
    with h5py.File(decoder.path("runs", "run", "state-0003.h5")) as state:
        np.testing.assert_array_equal(state["accuracy/after_merge/correct"][3], correct)


def test_the_fisher_is_the_mean_of_squared_gradients_by_sample(decoder):
    model = transformers.AutoModel.from_pretrained(decoder.path("backbone")).eval()
    with h5py.File(decoder.path("runs", "run", "tasks", "task-0000.h5")) as task, torch.no_grad():
        for name, module in task["lora"].items():  # theta* of the first task
            model.get_submodule(name).weight.add_(torch.from_numpy(module.attrs["scale"] * module["B"][:] @ module["A"][:]).float())
        recorded = {name: values[:] for name, values in task["fisher"].items()}
        weight, bias = (torch.from_numpy(task[f"head/{name}"][:]) for name in ("weight", "bias"))
    matrices = [model.get_submodule(name).weight for name in recorded]
    sums, samples = [torch.zeros_like(matrix) for matrix in matrices], 0
    for text, label, test in samples_of(decoder):
        if test or label > 1:
            continue
        logits = features(model, text) @ weight.T + bias
        loss = torch.nn.functional.cross_entropy(logits[None], torch.tensor([label]))
        for total, gradient in zip(sums, torch.autograd.grad(loss, matrices)):
            total.add_(gradient.square())
        samples += 1
    assert samples == 40
    for total, (name, values) in zip(sums, recorded.items()):
        expected = total / samples
        assert np.linalg.norm(values - expected.numpy()) < 1e-4 * float(expected.norm()), name


def export(decoder, *arguments):
    done = subprocess.run([EXPORT, decoder.path("runs", "run"), *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=decoder.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_merged_model_opens_as_a_language_model(decoder, tmp_path):
    text = export(decoder, "--out", tmp_path / "merged")
    assert "heads.safetensors" in text and "the last token" in text, text
    with open(tmp_path / "merged" / "heads.json") as file:
        assert json.load(file)["pooling"] == "last token"
    merged, info = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    model, _, _ = merged_model(decoder)
    ids = torch.arange(1, 12)[None]
    with torch.no_grad():
        expected = model(ids).last_hidden_state @ model.get_input_embeddings().weight.T
        torch.testing.assert_close(merged.eval()(ids).logits, expected, atol=1e-4, rtol=0)
    loaded = palimpsest.load_backbone(palimpsest.open(decoder.path("runs", "run"))).state_dict()
    assert all(torch.equal(values, loaded[name]) for name, values in merged.model.state_dict().items())


def test_an_untied_output_layer_is_exported_as_it_is(decoder, tmp_path):
    path = decoder.path("untied")
    torch.manual_seed(2)
    config = transformers.AutoConfig.from_pretrained(decoder.path("backbone"))
    config.tie_word_embeddings = False
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(path)
    decoder.run("--backbone", path, "--tasks", 1, out="untied")
    done = subprocess.run([EXPORT, decoder.path("runs", "untied"), "--out", tmp_path / "merged"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    merged, info = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert torch.equal(merged.lm_head.weight, model.lm_head.weight)


def test_the_adapters_of_all_tasks_open_in_peft(decoder, tmp_path):
    export(decoder, "--format", "peft", "--out", tmp_path / "adapter")
    base = transformers.AutoModelForCausalLM.from_pretrained(decoder.path("backbone"))
    adapted = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    model, _, _ = merged_model(decoder)
    ids = torch.arange(1, 12)[None]
    with torch.no_grad():
        expected = model(ids).last_hidden_state @ model.get_input_embeddings().weight.T
        torch.testing.assert_close(adapted(ids).logits, expected, atol=1e-4, rtol=0)


def test_what_a_decoder_lacks_is_refused(decoder):
    text = decoder.run("--adapter", "lora:targets=fc1", out="no", code=2)
    assert "'fc1' is not a matrix of this backbone's blocks; use query, key, value, output, gate, up or down" in text, text
    assert not os.path.exists(decoder.path("runs", "no"))
    planned = subprocess.run([PROGRAM, "plan", "--config", decoder.path("toy.cfg"), "--adapter", ADAPTER], capture_output=True, text=True, timeout=60)
    assert planned.returncode == 0, planned.stderr
