"""Checkpoints that aren't quite what transformers and timm write: read for what they are, or refused in their own words."""

import json
import os
import shutil
import struct
import subprocess

import peft
import pytest
import safetensors.torch
import torch
import transformers
from tiers import quick

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(toy, tmp_path):
    return shutil.copytree(toy.path("backbone"), tmp_path / "backbone")


@pytest.fixture
def vision_folder(vision_toy, tmp_path):
    return shutil.copytree(vision_toy.path("backbone"), tmp_path / "vision")


def change(folder, rename=None, add=None, drop=()):
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    renamed = {rename(name) if rename else name: values for name, values in tensors.items() if name not in drop}
    safetensors.torch.save_file(renamed | (add or {}), folder / WEIGHTS)


def change_json(folder, name="config.json", remove=(), **changes):
    path = folder / name
    config = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({key: value for key, value in (config | changes).items() if key not in remove}))


def train(toy, folder, out, code=0):
    text = toy.run("--backbone", folder, "--tasks", 1, "--epochs", 1, out=out, code=code)
    return " ".join(text.split())


def refused(toy, folder):
    return train(toy, folder, "refused", code=3)


@pytest.fixture(scope="module")
def numbers(toy):
    """Metrics of one short task with the checkpoint as it is."""
    assert "palimpsest: " not in train(toy, toy.path("backbone"), "names-plain")  # no note where all is as usual
    return toy.metrics("names-plain")


@pytest.mark.parametrize("prefix", quick(2, ["module.", "_orig_mod.", "module._orig_mod.", "backbone.", "base_model.model.", "model.bert.",
                                             "encoder.", "student.", "state_dict.", "0.auto_model.", "bert."]))
def test_a_prefix_before_all_names_is_taken_off_and_said(toy, folder, numbers, prefix):
    change(folder, lambda name: prefix + name)
    text = train(toy, folder, "names-prefix")
    taken_off = prefix.removesuffix("bert.")
    assert (f'begin with "{taken_off}", which is taken off' in text) == bool(taken_off)
    assert toy.metrics("names-prefix") == numbers
    shutil.rmtree(toy.path("runs", "names-prefix"))


@pytest.mark.parametrize("prefix", quick(1, ["vit.", "dinov2.", "a."]))
def test_a_prefix_that_is_another_family_is_a_prefix(toy, folder, numbers, prefix):
    change(folder, lambda name: prefix + name)
    assert f'begin with "{prefix}", which is taken off' in train(toy, folder, "names-family")
    assert toy.metrics("names-family") == numbers
    shutil.rmtree(toy.path("runs", "names-family"))


def test_what_is_beside_the_prefix_is_counted(toy, folder, numbers):
    change(folder, lambda name: "backbone." + name, {"fc.weight": torch.zeros(2, 32), "fc.bias": torch.zeros(2)})
    assert "left aside: 2 tensors (fc.bias, ...)" in train(toy, folder, "names-beside")
    assert toy.metrics("names-beside") == numbers


@pytest.mark.slow
def test_exported_models_have_no_prefix(toy, folder, tmp_path):
    names = set(safetensors.torch.load_file(folder / WEIGHTS))
    change(folder, lambda name: "module." + name, {"fc.weight": torch.zeros(2, 32)})
    train(toy, folder, "names-export")
    for format in ("safetensors", "peft"):
        command = [os.environ["PALIMPSEST_EXPORT"], toy.path("runs", "names-export"), "--format", format, "--out", tmp_path / format]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert '"module.", which is taken off' in done.stderr
    assert set(safetensors.torch.load_file(tmp_path / "safetensors" / WEIGHTS)) == names
    model = peft.PeftModel.from_pretrained(transformers.AutoModel.from_pretrained(tmp_path / "safetensors"), tmp_path / "peft")
    assert any(parameter.abs().max() > 0 for name, parameter in model.named_parameters() if "lora_B" in name)


@pytest.mark.slow
def test_a_prefixed_vision_model(vision_toy, vision_folder):
    change(vision_folder, lambda name: "module." + name)
    assert '"module.", which is taken off' in train(vision_toy, vision_folder, "names-vision")
    change(vision_folder, drop=["module.blocks.1.attn.qkv.weight"])
    assert "expected a tensor module.blocks.1.attn.qkv.weight, found none" in refused(vision_toy, vision_folder)
    change(vision_folder, drop=["module.patch_embed.proj.weight"])  # nothing says what the prefix belongs to
    assert "expected a tensor patch_embed.proj.weight" in refused(vision_toy, vision_folder)


@pytest.mark.slow
def test_patches_that_are_no_squares_of_colours(vision_toy, vision_folder):
    change(vision_folder, add={"patch_embed.proj.weight": torch.zeros(32, 64, 1, 1)})  # behind a convolutional network
    assert "patch_embed.proj.weight: expected [width, 3, patch, patch], found [32, 64, 1, 1]" in refused(vision_toy, vision_folder)


def test_two_models_in_one_file(toy, folder):
    twin = {"teacher." + name: values.clone() for name, values in safetensors.torch.load_file(folder / WEIGHTS).items()}
    change(folder, lambda name: "student." + name, twin)
    text = refused(toy, folder)
    assert 'found 2, whose names begin with "student.", "teacher."' in text


@pytest.mark.parametrize("wrapper", quick(1, ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."]))
def test_wrappers_around_parts(toy, folder, wrapper):
    change(folder, lambda name: "module." + name.replace("layer.0.", "layer.0." + wrapper))
    text = refused(toy, folder)
    assert f"module.encoder.layer.0.{wrapper}" in text and f'"{wrapper}" is of a wrapper around a part' in text


@pytest.mark.parametrize("extra", quick(1, ["encoder.layer.0.attention.self.query.lora_A.weight",
                                            "encoder.layer.0.attention.self.query.base_layer.weight"]))
def test_an_adapter_that_is_not_merged(toy, folder, extra):
    change(folder, lambda name: "base_model.model." + name, {"base_model.model." + extra: torch.zeros(4, 32)})
    text = refused(toy, folder)
    assert f"base_model.model.{extra}" in text and "merge_and_unload" in text


@pytest.mark.slow
def test_missing_left_over_and_misshapen_tensors_have_the_checkpoints_names(toy, folder):
    change(folder, lambda name: "module." + name, {"module.encoder.layer.0.gate": torch.zeros(2)})
    assert "a tensor module.encoder.layer.0.gate (F32) that this backbone has no place for" in refused(toy, folder)
    change(folder, drop=["module.encoder.layer.0.gate", "module.encoder.layer.1.output.dense.bias"])
    assert "expected a tensor module.encoder.layer.1.output.dense.bias, found none" in refused(toy, folder)
    change(folder, add={"module.encoder.layer.1.output.dense.bias": torch.zeros(3)})
    assert "tensor module.encoder.layer.1.output.dense.bias: expected floats [32], found F32 [3]" in refused(toy, folder)


def add_raw(folder, name, dtype, size=4):
    """A tensor of a type that the safetensors library may not know."""
    data = (folder / WEIGHTS).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header[name] = {"dtype": dtype, "shape": [size], "data_offsets": [len(body), len(body) + size]}
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + body + bytes(size))


@pytest.mark.parametrize("dtype", quick(1, ["F8_E8M0", "F8_E4M3", "I8", "BOOL", "OF_TOMORROW"]))
def test_a_tensor_that_is_not_needed_may_be_of_any_type(toy, folder, numbers, dtype):
    add_raw(folder, "pooler.scale", dtype)
    train(toy, folder, "names-type")
    assert toy.metrics("names-type") == numbers
    shutil.rmtree(toy.path("runs", "names-type"))


@pytest.mark.slow
def test_a_tensor_of_half_bytes(toy, folder):
    add_raw(folder, "pooler.scale", "F4", 3)
    assert "pooler.scale: expected a whole number of bytes for F4 [3], found 3" in refused(toy, folder)


@pytest.mark.slow
def test_a_needed_tensor_of_a_type_that_is_not_read(toy, folder):
    name = "encoder.layer.0.output.dense.weight"
    change(folder, add={name: torch.zeros(32, 64, dtype=torch.float8_e4m3fn)})
    text = refused(toy, folder)
    assert f"tensor {name}: expected floats [32, 64], found F8_E4M3 [32, 64]; F32, F16, BF16 and F64 are read" in text
    assert "damaged" not in text
    change(folder, add={name: torch.zeros(32, 64)})
    add_raw(folder, "encoder.layer.0.output.scale", "F8_E8M0")
    assert "encoder.layer.0.output.scale (F8_E8M0) that this backbone has no place for" in refused(toy, folder)


@pytest.mark.parametrize("file", quick(1, ["pytorch_model.bin", "checkpoint.pth", "model.gguf", "model.onnx", "tf_model.h5"]))
def test_weights_of_another_kind(toy, folder, file):
    (folder / WEIGHTS).rename(folder / file)
    text = refused(toy, folder)
    assert f"found {file}, which Palimpsest doesn't read" in text and "docs/your-backbone.md" in text


@pytest.mark.slow
def test_what_is_no_folder_of_a_model(toy, folder, tmp_path):
    assert "found a file: the backbone is a folder" in refused(toy, folder / WEIGHTS)
    assert "found one in its folder backbone: give that one" in refused(toy, tmp_path)
    os.rename(folder / WEIGHTS, folder / "model.fp16.safetensors")
    assert "found model.fp16.safetensors: a whole model's file is to be named model.safetensors" in refused(toy, folder)
    os.rename(folder / "model.fp16.safetensors", folder / "model-00002-of-00002.safetensors")
    assert "found model-00002-of-00002.safetensors without the index: get model.safetensors.index.json, too" in refused(toy, folder)
    (folder / "adapter_config.json").write_text("{}")
    assert "found an adapter of PEFT alone" in refused(toy, folder)
    os.remove(folder / "adapter_config.json")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')
    assert "names the shard model-00001-of-00002.safetensors, which isn't in the folder" in refused(toy, folder)


@pytest.mark.parametrize("text", quick(1, ["<!doctype html><html>", "<!DOCTYPE html>", "Entry not found", '{"error":"Repository not found"}']))
def test_what_a_failed_download_leaves(toy, folder, text):
    (folder / WEIGHTS).write_text(text)
    assert "the download failed" in refused(toy, folder)


def test_no_config(toy, folder):
    os.remove(folder / "config.json")
    assert "expected config.json beside the weights" in refused(toy, folder)


@pytest.mark.parametrize("family", quick(1, ["distilbert", "deberta-v2", "clip", "gpt2", "llama"]))
def test_other_families(toy, folder, family):
    change_json(folder, model_type=family)
    text = refused(toy, folder)
    assert "model_type: expected bert, roberta" in text and f'found "{family}"' in text


@pytest.mark.parametrize("field,value", quick(1, [
    ("quantization_config", {"quant_method": "bitsandbytes"}),
    ("auto_map", {"AutoModel": "modeling.MyBert"}),
    ("is_decoder", True),
    ("add_cross_attention", True),
    ("pruned_heads", {"0": [1]}),
    ("position_embedding_type", "relative_key"),
    ("rope_theta", 10000.0),
    ("feed_forward_type", "geglu"),
    ("hidden_act", "gelu_new"),
    ("head_dim", 16),
]))
def test_fields_that_change_what_a_text_model_computes(toy, folder, field, value):
    change_json(folder, **{field: value})
    text = refused(toy, folder)
    assert "config.json: " + field in text and json.dumps(value).split('"')[-2 if isinstance(value, str) else 0].strip("{} ") in text


def test_fields_that_are_not_known_are_named(toy, folder, numbers):
    change_json(folder, **{"a_field_of_tomorrow": 3, "another": None, "use_cache": False, "is_decoder": False})
    assert "unknown fields, which are not used: a_field_of_tomorrow palimpsest" in train(toy, folder, "names-field") + " palimpsest"
    assert toy.metrics("names-field") == numbers


@pytest.mark.slow
def test_a_view_of_timm_that_is_not_taken_is_said(vision_toy, vision_folder):
    prepared = json.loads((vision_folder / "config.json").read_text())["pretrained_cfg"]
    change_json(vision_folder, pretrained_cfg=prepared | {"crop_mode": "squash"})
    assert 'pretrained_cfg.crop_mode is "squash"; test images are cropped at their centre' in train(vision_toy, vision_folder, "names-crop")


@pytest.mark.parametrize("field,value,found", quick(1, [
    ("act_layer", "quick_gelu", "it changes the model"),
    ("a_field_of_tomorrow", True, "it changes the model"),
    ("final_norm", False, "the last norm is always there"),
    ("pos_embed", "none", "only positions that are learned"),
    ("depth", 12, "expected 2, as the tensors have it, found 12"),
    ("embed_dim", 192, "expected 32, as the tensors have it, found 192"),
]))
def test_arguments_of_timm(vision_toy, vision_folder, field, value, found):
    arguments = json.loads((vision_folder / "config.json").read_text())["model_args"]
    change_json(vision_folder, model_args=arguments | {field: value})
    text = refused(vision_toy, vision_folder)
    assert f"model_args.{field}" in text and found in text
