"""The merged model in memory: the pretrained one with the recorded differences added."""

import contextlib
import glob
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..counted import counted
from ..errors import InputError
from .adapter import Float32
from .inputs import find_input
from .manifest import read_object
from .module_names import find_place
from .run import Run
from .weights import files_sha256

if TYPE_CHECKING:
    import torch

HEADS = ("head.", "head_dist.", "classifier.", "cls.", "lm_head.", "qa_outputs.")  # of what a backbone was pretrained for
BESIDE = ("pooler.", "embeddings.mask_token", "embeddings.position_ids")  # that no answer of a run depends on


def load_backbone(run: Run, task: int | None = None, backbone: str | os.PathLike[str] | None = None) -> "torch.nn.Module":
    """The merged model after a task (counted from 0; None: the newest), without a head, in evaluation mode and float32.

    Returns a model of transformers (`AutoModel`), or of timm if the backbone's config.json is timm's. backbone: the folder of the pretrained model
    (by default, the one in run.json). The classifiers on its features are in `run.state.heads` and `run.state.memory`.
    Raises InputError if the backbone is not the run's, if a library is missing, or if an earlier task cannot be merged again from its coefficients.
    """
    if run.state is None:
        raise InputError(f"{run.folder}: expected a run with a finished task, found none")
    folder = _backbone_folder(run, backbone)
    _check_sha256(folder, run.state.backbone_sha256)
    differences = run.weights(task)
    config = read_object(os.path.join(folder, "config.json"))
    with _naming_missing_libraries():
        model = _load_timm(folder, config) if "architecture" in config else _load_transformers(folder)
    _add(model, differences, folder)
    return model.eval()


def _backbone_folder(run: Run, backbone: str | os.PathLike[str] | None) -> str:
    if backbone is None:
        return find_input(run.folder, run.started, "backbone", "Give the folder of the pretrained model: load_backbone(run, backbone=FOLDER)")
    if not os.path.isdir(backbone):
        raise InputError(f"{os.fspath(backbone)}: expected the folder of the run's pretrained model, found none")
    return os.fspath(backbone)


def _weight_files(folder: str) -> list[str]:
    """In the order in which their hashes are joined."""
    whole = os.path.join(folder, "model.safetensors")
    if os.path.exists(whole):
        return [whole]
    index = os.path.join(folder, "model.safetensors.index.json")
    if not os.path.exists(index):
        others = counted(len(glob.glob(f"{folder}/*")), "other file")
        raise InputError(f"{folder}: expected model.safetensors, or model.safetensors.index.json with its shards, found {others}")
    return [os.path.join(folder, name) for name in sorted(set(read_object(index).get("weight_map", {}).values()), key=str.encode)]


def _check_sha256(folder: str, expected: str) -> None:
    files = _weight_files(folder)
    found = files_sha256(files)
    if found != expected:
        raise InputError(f"{files[0]}: expected the backbone that the run was trained on, with SHA-256 {expected}, found {found}. Give the right folder")


@contextlib.contextmanager
def _naming_missing_libraries() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        name = error.name or str(error)
        raise InputError(
            f"loading a backbone needs torch, safetensors, and transformers or timm, but this Python ({sys.executable}) has no {name}. "
            "In the source tree run launch/setup.sh without --minimal, or pip install './tools/python[models]'"
        ) from error


def _load_transformers(folder: str) -> "torch.nn.Module":
    import torch
    import transformers

    model, info = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    _refuse_missing(folder, info["missing_keys"])
    return model  # type: ignore[no-any-return]


def _load_timm(folder: str, config: dict[str, Any]) -> "torch.nn.Module":
    import timm
    import torch
    from safetensors.torch import load_file

    size = config.get("pretrained_cfg", {}).get("input_size", [])
    arguments = ({"img_size": size[-1]} if size else {}) | config.get("model_args", {}) | {"num_classes": 0}
    model = timm.create_model(config["architecture"], pretrained=False, **arguments)
    tensors: dict[str, torch.Tensor] = {}
    for path in _weight_files(folder):
        tensors |= {name: tensor.float() for name, tensor in load_file(path).items()}
    try:
        missing, _ = model.load_state_dict({name: tensor for name, tensor in tensors.items() if not name.startswith(HEADS)}, strict=False)
    except RuntimeError as error:
        raise InputError(f"{folder}: expected the tensors of timm's {config['architecture']}, found others: {error}") from None
    _refuse_missing(folder, missing)
    return model


def _refuse_missing(folder: str, missing: Any) -> None:
    needed = sorted(name for name in missing if not name.startswith((*HEADS, *BESIDE)))
    if needed:
        raise InputError(f"{folder}: expected a tensor for each part of the model, found none for {', '.join(needed[:5])}{', ...' if len(needed) > 5 else ''}")


def _add(model: "torch.nn.Module", differences: dict[str, Float32], folder: str) -> None:
    import torch

    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for module, difference in differences.items():
            place = find_place(module, parameters)
            if place is None:
                raise InputError(f"{folder}: expected a module {module} in the model, under one of its names in timm or transformers, found none")
            pieces = torch.from_numpy(difference).chunk(len(place.parameters))
            for name, piece in zip(place.parameters, pieces, strict=True):
                parameters[name].chunk(place.of)[place.part].add_(piece)
