"""The C++ vision transformer against timm's and transformers', randomly initialised, with every option that it knows."""

import functools
import json
import os
import subprocess

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import transformers
from tiers import quick
from timm.layers import SwiGLU, SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer, resample_abs_pos_embed

PROGRAM = os.environ["PALIMPSEST_VISION_FEATURES"]
WIDTH, HEADS, PATCH, SIDE = 32, 4, 7, 28


def shaken(model):
    """The same model with every parameter moved, so that none is zero or one."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def images(side=SIDE):
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(7))


def ours(folder, batch, pooling, path, width=WIDTH):
    batch.detach().numpy().tofile(path / "images")
    side = str(batch.shape[-1])
    subprocess.run([PROGRAM, folder, side, pooling, path / "images", path / "out"], check=True)
    values = torch.from_numpy(np.fromfile(path / "out", "<f4"))
    count = len(batch) * width
    return values[:count].view(-1, width), values[count:].view(batch.shape)


def refusal(folder, path):
    images().numpy().tofile(path / "images")
    command = [PROGRAM, folder, str(SIDE), "class", path / "images", path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    return done.stderr


def gradient_of(features, batch):
    return torch.autograd.grad(features.pow(2).sum() / 2, batch)[0]


def assert_agrees(folder, path, pooling, features_of, head=None, side=SIDE):
    """Features, logits where there is a head, and input gradients."""
    batch = images(side).requires_grad_(True)
    theirs = features_of(batch)
    features, gradient = ours(folder, batch, pooling, path, theirs.shape[1])
    torch.testing.assert_close(features, theirs.detach(), atol=1e-5, rtol=0)
    expected = gradient_of(theirs, batch)
    torch.testing.assert_close(gradient, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=0)
    if head is not None:
        with torch.no_grad():
            torch.testing.assert_close(head(features), head(theirs), atol=1e-5, rtol=0)


def save_timm(model, folder, pooling, **arguments):
    folder.mkdir()
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    config = {
        "architecture": "vit_tiny_patch16_224",
        "global_pool": pooling,
        "model_args": {"num_heads": HEADS, **arguments},
        "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "crop_pct": 0.9},
    }
    (folder / "config.json").write_text(json.dumps(config))


TIMM = {
    "plain": {},
    "layer scale": {"init_values": 0.5},
    "q/k norm": {"qk_norm": True},
    "registers without places": {"reg_tokens": 4, "no_embed_class": True, "init_values": 0.5},
    "registers with places": {"reg_tokens": 4},
    "mean of patches": {"global_pool": "avg"},
    "no class token": {"class_token": False, "global_pool": "avg"},
    "gated": {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU, "mlp_ratio": 4},
    "gated, kept apart": {"mlp_layer": SwiGLU, "act_layer": torch.nn.SiLU, "mlp_ratio": 2},
    "no bias": {"qkv_bias": False},
    "other width of the MLP": {"mlp_ratio": 2.5},
}


@pytest.mark.parametrize("name", quick(2, TIMM))
def test_timm(name, tmp_path):
    torch.manual_seed(3)
    options = TIMM[name]
    build = functools.partial(
        VisionTransformer, patch_size=PATCH, embed_dim=WIDTH, depth=2, num_heads=HEADS, num_classes=5, **options
    )
    model = shaken(build(img_size=SIDE))
    pooling = options.get("global_pool", "token")
    save_timm(model, tmp_path / "model", pooling)
    mode = "mean" if pooling == "avg" else "class"
    assert_agrees(
        tmp_path / "model",
        tmp_path,
        mode,
        lambda batch: model.forward_head(model.forward_features(batch), pre_logits=True),
        model.head,
    )

    # Another image size: timm resizes the position embeddings when it loads the weights.
    larger = build(img_size=42)
    weights = model.state_dict()
    prefix = 0 if model.no_embed_class or not model.has_class_token else model.num_prefix_tokens
    weights["pos_embed"] = resample_abs_pos_embed(
        weights["pos_embed"], new_size=[6, 6], old_size=[4, 4], num_prefix_tokens=prefix
    )
    larger.load_state_dict(weights)
    larger.eval()
    assert_agrees(
        tmp_path / "model",
        tmp_path,
        mode,
        lambda batch: larger.forward_head(larger.forward_features(batch), pre_logits=True),
        side=42,
    )


def transformers_vit():
    config = transformers.ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=HEADS, intermediate_size=64, image_size=SIDE, patch_size=PATCH
    )
    return transformers.ViTForImageClassification(config), lambda model, batch: model.vit(batch).last_hidden_state[:, 0]


def dinov2(gated, registers):
    shape = dict(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        mlp_ratio=2,
        image_size=SIDE,
        patch_size=PATCH,
        use_swiglu_ffn=gated,
    )
    model = (
        transformers.Dinov2WithRegistersModel(transformers.Dinov2WithRegistersConfig(**shape, num_register_tokens=4))
        if registers
        else transformers.Dinov2Model(transformers.Dinov2Config(**shape))
    )
    return model, lambda whole, batch: whole(batch).last_hidden_state[:, 0]


TRANSFORMERS = {
    "vit": transformers_vit,
    "dinov2": functools.partial(dinov2, False, False),
    "dinov2, gated": functools.partial(dinov2, True, False),
    "dinov2 with registers": functools.partial(dinov2, False, True),
}


@pytest.mark.parametrize("spelling", quick(1, ["as saved", "as in memory", "in shards"]))
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers(name, spelling, tmp_path):
    torch.manual_seed(3)
    model, features_of = TRANSFORMERS[name]()
    shaken(model)
    folder = tmp_path / "model"
    model.save_pretrained(folder, **({"max_shard_size": "20KB"} if spelling == "in shards" else {}))
    assert (folder / "model.safetensors.index.json").exists() == (spelling == "in shards")
    if spelling == "as in memory":  # the names of transformers 5
        tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        safetensors.torch.save_file(tensors, folder / "model.safetensors")
    assert_agrees(folder, tmp_path, "class", lambda batch: features_of(model, batch), getattr(model, "classifier", None))


def test_a_missing_surplus_or_misshapen_tensor_is_named(tmp_path):
    model = shaken(VisionTransformer(img_size=SIDE, patch_size=PATCH, embed_dim=WIDTH, depth=2, num_heads=HEADS, num_classes=5))
    save_timm(model, tmp_path / "model", "token")
    whole = model.state_dict()

    def with_weights(**changes):
        weights = {name: tensor for name, tensor in (whole | changes).items() if tensor is not None}
        safetensors.torch.save_file(weights, tmp_path / "model" / "model.safetensors")
        return refusal(tmp_path / "model", tmp_path)

    assert "expected a tensor blocks.1.attn.proj.bias" in with_weights(**{"blocks.1.attn.proj.bias": None})
    assert "norm_pre.weight (F32) that this backbone has no place for" in with_weights(**{"norm_pre.weight": torch.ones(WIDTH)})
    message = with_weights(**{"blocks.0.mlp.fc1.bias": torch.ones(7)})
    assert "blocks.0.mlp.fc1.bias" in message and "expected floats [128]" in message and "[7]" in message


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [
        ("vit_base_patch16_rpn_224", {}),
        ("vit_base_patch32_siglip_gap_256", {}),
        ("vit_base_patch32_clip_quickgelu_224", {}),
        ("vit_tiny_patch16_224", {"act_layer": "gelu_tanh"}),
    ],
)
def test_other_arithmetic_on_the_same_tensors_is_refused(tmp_path, architecture, arguments):
    model = VisionTransformer(img_size=SIDE, patch_size=PATCH, embed_dim=WIDTH, depth=2, num_heads=HEADS, num_classes=5)
    save_timm(model, tmp_path / "model", "token", **arguments)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"architecture": architecture}))
    message = refusal(tmp_path / "model", tmp_path)
    assert "config.json" in message and ("act_layer" if arguments else architecture) in message


@pytest.mark.parametrize(("architecture", "heads"), [("vit_wee_patch16_reg1_gap_256", 4), ("vit_base_patch16_gap_224", 16)])
def test_heads_that_timm_doesnt_write_down_follow_from_width_and_architecture(tmp_path, architecture, heads):
    width = {4: 256, 16: 768}[heads]
    model = shaken(
        VisionTransformer(
            img_size=SIDE, patch_size=PATCH, embed_dim=width, depth=1, num_heads=heads, num_classes=0,
            class_token=False, global_pool="avg", fc_norm=False,
        )
    )
    save_timm(model, tmp_path / "model", "avg")
    config = json.loads((tmp_path / "model" / "config.json").read_text()) | {"architecture": architecture, "model_args": {}}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    found, _ = ours(tmp_path / "model", images(), "mean", tmp_path, width)
    with torch.no_grad():
        torch.testing.assert_close(found, model(images()), atol=1e-5, rtol=0)
