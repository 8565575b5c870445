"""The merged model in memory is the one that palimpsest export writes, tensor by tensor."""

import json
import os
import pathlib
import subprocess
import sys

import palimpsest
import pytest
import safetensors.torch
import timm
import torch
import transformers
from palimpsest.runs.module_names import find_place
from tiers import quick

EXPORT = os.environ.get("PALIMPSEST_EXPORT")
ALL_MODULES = "lora:rank=2,alpha=2,targets=query+key+value+output+fc1+fc2"


def export(run, out, *arguments):
    done = subprocess.run([EXPORT, run, "--out", out, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return str(out)


@pytest.fixture(scope="module")
def make(toy, mpnet_toy, vision_toy):
    """The folder of a run of two tasks on a backbone of a family, every matrix of a block adapted."""

    def run(family):
        maker = {"bert": toy, "mpnet": mpnet_toy}.get(family, vision_toy)
        if not os.path.exists(maker.path("runs", f"backbone-{family}")):
            backbone = []
            if family in ("vit of transformers", "dinov2", "dinov2, gated"):
                backbone = ["--backbone", make_vision_backbone(family, maker.path(family))]
            maker.run("--adapter", ALL_MODULES, "--tasks", 2, *backbone, out=f"backbone-{family}")
        return maker.path("runs", f"backbone-{family}")

    return run


def make_vision_backbone(family, folder):
    torch.manual_seed(2)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
    if family == "vit of transformers":
        model = transformers.ViTModel(transformers.ViTConfig(intermediate_size=64, **shape), add_pooling_layer=False)
    else:
        model = transformers.Dinov2Model(transformers.Dinov2Config(mlp_ratio=2, use_swiglu_ffn="gated" in family, **shape))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    return folder


def open_model(folder):
    with open(os.path.join(folder, "config.json")) as file:
        is_timm = "architecture" in json.load(file)
    if is_timm:
        model = timm.create_model(f"local-dir:{folder}", pretrained=True, img_size=32)
        model.reset_classifier(0)
        return model
    return transformers.AutoModel.from_pretrained(folder)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "mpnet", "vit of timm", "vit of transformers", "dinov2", "dinov2, gated"])
@pytest.mark.parametrize("task", [None, 0])
def test_it_is_the_exported_model(family, task, make, tmp_path):
    folder = make(family)
    run = palimpsest.open(folder)
    model = palimpsest.load_backbone(run, task)
    expected = open_model(export(folder, tmp_path / "model", *([] if task is None else ["--task", task + 1]))).state_dict()
    found = model.state_dict()
    assert found.keys() == expected.keys() and not model.training
    # transformers initialises a pooler where a checkpoint has none.
    compared = [name for name in found if not name.startswith("pooler.")]
    assert [name for name in compared if not torch.equal(found[name], expected[name])] == []
    pretrained = open_model(run.started["config"]["backbone"]).state_dict()
    changed = {name for name in compared if not torch.equal(found[name], pretrained[name])}
    assert changed == {name for module in run.state.weights for name in find_place(module, found).parameters}


@pytest.mark.slow
def test_a_dinov2_of_timm(tmp_path, vision_toy):
    """Layer scales, and query, key and value in one matrix."""
    model = timm.create_model("vit_small_patch14_dinov2", img_size=28, embed_dim=32, depth=2, num_heads=2, num_classes=0)
    folder = tmp_path / "backbone"
    folder.mkdir()
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    arguments = {"img_size": 28, "embed_dim": 32, "depth": 2, "num_heads": 2}
    config = {"architecture": "vit_small_patch14_dinov2", "model_args": arguments, "pretrained_cfg": {"input_size": [3, 28, 28], "num_classes": 0}}
    (folder / "config.json").write_text(json.dumps(config))
    vision_toy.run("--backbone", folder, "--tasks", 1, "--image-transform", "resize-crop:size=28", out="timm-dinov2")
    run = palimpsest.open(vision_toy.path("runs", "timm-dinov2"))
    found, expected = palimpsest.load_backbone(run).state_dict(), model.state_dict()
    for module, difference in run.state.weights.items():
        rows = expected[f"blocks.{module.split('.')[1]}.attn.qkv.weight"].chunk(3)[{"query": 0, "key": 1, "value": 2}[module.split(".")[-1]]]
        rows += torch.from_numpy(difference)
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize("case", quick(1, ["another backbone", "no folder", "no name", "a tensor less"]))
def test_bad_backbones_are_refused_by_name(case, toy, reference_run, tmp_path):
    run = palimpsest.open(reference_run)
    folder = str(tmp_path)
    if case == "no folder":
        folder, message = str(tmp_path / "nothing"), "nothing: expected the folder of the run's pretrained model, found none"
    elif case == "no name":
        run.started.clear()
        folder, message = None, "expected a run.json with the path of the backbone, found none. Give the folder"
    else:
        tensors = safetensors.torch.load_file(toy.path("backbone", "model.safetensors"))
        del tensors["encoder.layer.0.attention.self.key.weight"]
        safetensors.torch.save_file(tensors, tmp_path / "model.safetensors")
        message = "model.safetensors: expected the backbone that the run was trained on, with SHA-256"
    if case == "a tensor less":
        with open(toy.path("backbone", "config.json")) as source:
            (tmp_path / "config.json").write_text(source.read())
        from palimpsest.runs import weights

        run.state.__dict__["backbone_sha256"] = weights.files_sha256([str(tmp_path / "model.safetensors")])
        message = "expected a tensor for each part of the model, found none for encoder.layer.0.attention.self.key.weight"
    with pytest.raises(palimpsest.InputError, match=message):
        palimpsest.load_backbone(run, backbone=folder)


def test_a_missing_library_is_named():
    code = """
import sys
sys.modules["torch"] = None
import palimpsest
try:
    palimpsest.load_backbone(palimpsest.open("run"), backbone="backbone")
except palimpsest.InputError as error:
    print(error)
"""
    golden = pathlib.Path(__file__).resolve().parents[2] / "checkpoints_schema" / "golden" / "3.0.0"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=golden, env=environment)
    remedy = "In the source tree run launch/setup.sh without --minimal, or pip install './tools/python[models]'"
    assert f"but this Python ({sys.executable}) has no torch. {remedy}" in done.stdout, done.stdout + done.stderr
