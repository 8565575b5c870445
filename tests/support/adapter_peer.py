"""Adapters of PEFT with random factors, and what tests/peer's program adapter_gradients computes with them."""

import os
import subprocess

import numpy as np
import peft
import torch

PROGRAM = os.environ["PALIMPSEST_ADAPTER_GRADIENTS"]


def with_adapter(model, modules, rank, factors_of):
    """factors_of(model): its factors in the order in which they are filled."""
    model = peft.get_peft_model(model, peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=modules, bias="none"))
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for factor in factors_of(model):
            factor.copy_(0.1 * torch.randn(factor.shape, generator=generator))
    return model.eval()


def gradients(folder, side, targets, rank, samples, factors, features, path, *options):
    """[features, gradient of each factor]. side, samples, options: as the program takes them; features: their shape."""
    np.concatenate([factor.detach().numpy().ravel() for factor in factors]).tofile(path / "factors")
    files = [samples, path / "factors", path / "out"]
    subprocess.run([PROGRAM, folder, str(side), ",".join(targets), str(rank), *files, *options], check=True)
    values = torch.from_numpy(np.fromfile(path / "out", "<f4"))
    shapes = [features, *(factor.shape for factor in factors)]
    parts = values.split([int(np.prod(shape)) for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes)]


def distance(found, expected):
    """Relative to the whole."""
    return float((found.float() - expected).norm() / expected.norm())


def assert_as_near(found, rounded, exact):
    """Ours in bf16 are as near to float32 as those of autocast."""
    our_error = np.array([distance(*pair) for pair in zip(found, exact)])
    their_error = np.array([distance(*pair) for pair in zip(rounded, exact)])
    assert their_error.min() > 1e-4  # autocast did round
    assert our_error.min() > 1e-4
    assert our_error.mean() < 1.2 * their_error.mean()
    assert our_error.max() < 1.5 * their_error.max()
