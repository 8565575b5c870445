"""LoRA on every matrix of a block against PEFT's on transformers' ViT: in fp32, in bf16, and recomputed."""

import adapter_peer
import pytest
import torch
import transformers
from adapter_peer import assert_as_near, distance
from tiers import quick

WIDTH, HEADS, PATCH, SIDE, BLOCKS, RANK = 32, 4, 7, 28, 2, 3
TARGETS = {  # in transformers' words
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "output": "o_proj",
    "fc1": "mlp.fc1",
    "fc2": "mlp.fc2",
}
OURS = {name: f"mlp.{name}" if name.startswith("fc") else f"attn.{name}" for name in TARGETS}
ALL = ",".join(TARGETS)


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="module")
def vit():
    """(model, its folder), with no weight at zero or one."""
    torch.manual_seed(3)
    config = transformers.ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=BLOCKS,
        num_attention_heads=HEADS,
        intermediate_size=64,
        image_size=SIDE,
        patch_size=PATCH,
    )
    model = transformers.ViTModel(config, add_pooling_layer=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return model.eval()


@pytest.fixture(scope="module")
def folder(vit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters") / "model"
    vit.save_pretrained(folder)
    return folder


def factors_of(model, targets):
    """PEFT's A and B in the order of our layout: by canonical module name."""
    found = {}
    for name, parameter in model.named_parameters():
        if "lora_" not in name:
            continue
        block = name.split("layers.")[1].split(".")[0]
        target = next(t for t in targets if f".{TARGETS[t]}." in name)
        found[(f"blocks.{block}.{OURS[target]}", "B" if "lora_B" in name else "A")] = parameter
    assert len(found) == 2 * len(targets) * BLOCKS
    return [found[key] for key in sorted(found)]


def with_adapter(vit, targets):
    return adapter_peer.with_adapter(vit, [TARGETS[t] for t in targets], RANK, lambda model: factors_of(model, targets))


def theirs(model, targets, images, autocast=False):
    """Features, and one gradient vector for each factor."""
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        features = model(images).last_hidden_state[:, 0].float()
    return [features.detach(), *torch.autograd.grad(features.pow(2).sum() / 2, factors_of(model, targets))]


def ours(folder, factors, targets, images, path, *options):
    images.numpy().tofile(path / "images")
    return adapter_peer.gradients(folder, SIDE, targets, RANK, path / "images", factors, (len(images), WIDTH), path, *options)


@pytest.mark.parametrize("targets", quick(1, [*TARGETS, "key,value", "query,fc2", ALL]))
def test_features_and_gradients_of_every_target_are_those_of_peft(vit, folder, images, targets, tmp_path):
    targets = targets.split(",")
    model = with_adapter(vit, targets)
    expected = theirs(model, targets, images)
    found = ours(folder, factors_of(model, targets), targets, images, tmp_path)
    recomputed = ours(folder, factors_of(model, targets), targets, images, tmp_path, "recompute")
    model.unload()
    torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=0)
    for ours_, theirs_ in zip(found, expected):
        assert distance(ours_, theirs_) < 1e-5
    assert all(torch.equal(*pair) for pair in zip(recomputed, found))


@pytest.mark.parametrize("targets", quick(1, ["key,value", ALL]))
def test_bf16_is_as_near_to_fp32_as_pytorchs_autocast(vit, folder, images, targets, tmp_path):
    targets = targets.split(",")
    model = with_adapter(vit, targets)
    exact = theirs(model, targets, images)
    rounded = theirs(model, targets, images, autocast=True)
    found = ours(folder, factors_of(model, targets), targets, images, tmp_path, "bf16")
    recomputed = ours(folder, factors_of(model, targets), targets, images, tmp_path, "bf16", "recompute")
    model.unload()
    assert_as_near(found, rounded, exact)
    assert all(torch.equal(*pair) for pair in zip(recomputed, found))
