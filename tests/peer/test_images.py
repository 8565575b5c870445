"""Image views and the operations of RandAugment and AutoAugment against torchvision's, and decoding against Pillow's."""

import os
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image
from tiers import quick
from torchvision.transforms import InterpolationMode, autoaugment
from torchvision.transforms import functional as F

PROGRAM = os.environ["PALIMPSEST_IMAGE_VIEWS"]
SIDE = 28
OPERATIONS = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color"]
OPERATIONS += ["Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert"]


def picture(height, width):
    """uint8 [height, width, 3]: waves, edges and noise."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(3).integers(-40, 41, (height, width, 3))
    waves = np.stack([np.sin(x / 5), np.cos(y / 3), (x // 7 + y // 4) % 2], -1) * 100 + 128
    return np.clip(waves + noise, 0, 255).astype(np.uint8)


def view(path, height, width, interpolation, share, file, resized="short-side"):
    out = path / "out"
    command = [PROGRAM, "view", str(height), str(width), file, str(SIDE), interpolation, str(share), resized, out]
    subprocess.run(command, check=True)
    return torch.from_numpy(np.fromfile(out, "<f4")).view(3, SIDE, SIDE)


@pytest.mark.parametrize("interpolation", quick(1, ["bilinear", "bicubic"]))
@pytest.mark.parametrize("size", [(64, 64), (37, 113), (131, 40), (20, 24), (28, 28)])
@pytest.mark.parametrize("share", quick(1, [0.875, 1.0]))
def test_the_test_view_is_torchvision_s(tmp_path, interpolation, size, share):
    image = picture(*size)
    image.tofile(tmp_path / "pixels")
    found = view(tmp_path, *size, interpolation, share, tmp_path / "pixels")
    expected = torch.from_numpy(image).permute(2, 0, 1)
    expected = F.resize(expected, int(SIDE / share), InterpolationMode(interpolation), antialias=True)
    expected = F.center_crop(expected, SIDE).float() / 255
    torch.testing.assert_close(found, expected, atol=1 / 255, rtol=0)
    assert (found - expected).abs().mean() < 0.3 / 255  # of rounding, not of another place


@pytest.mark.parametrize("interpolation", quick(1, ["bilinear", "bicubic"]))
@pytest.mark.parametrize("size", [(37, 113), (131, 40), (20, 24)])
def test_a_squashed_view_is_torchvision_s(tmp_path, interpolation, size):
    image = picture(*size)
    image.tofile(tmp_path / "pixels")
    found = view(tmp_path, *size, interpolation, 0.875, tmp_path / "pixels", "both-sides")
    expected = torch.from_numpy(image).permute(2, 0, 1)
    expected = F.resize(expected, [32, 32], InterpolationMode(interpolation), antialias=True)
    expected = F.center_crop(expected, SIDE).float() / 255
    torch.testing.assert_close(found, expected, atol=1 / 255, rtol=0)
    assert (found - expected).abs().mean() < 0.3 / 255  # of rounding, not of another place


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_is_decoded_as_pillow_decodes_it(tmp_path, subsampling, grey):
    image = Image.fromarray(picture(SIDE, SIDE)).convert("L" if grey else "RGB")
    image.save(tmp_path / "image.jpg", quality=90, **({} if grey else {"subsampling": subsampling}))
    found = view(tmp_path, SIDE, SIDE, "bicubic", 1.0, tmp_path / "image.jpg")
    expected = np.asarray(Image.open(tmp_path / "image.jpg").convert("RGB"))
    assert torch.equal(found.mul(255).round().byte().permute(1, 2, 0), torch.from_numpy(expected.copy()))


@pytest.mark.parametrize("marker", [b"\xff\xd1", b"\xff\xc0"], ids=["of a restart", "of the frame"])
def test_stray_bytes_before_markers_are_skipped_as_pillow_skips_them(tmp_path, marker):
    Image.fromarray(picture(SIDE, SIDE)).save(tmp_path / "image.jpg", restart_marker_blocks=1)
    whole = (tmp_path / "image.jpg").read_bytes()
    marker = whole.index(marker)
    (tmp_path / "image.jpg").write_bytes(whole[:marker] + bytes(range(1, 100)) + whole[marker:])
    found = view(tmp_path, SIDE, SIDE, "bicubic", 1.0, tmp_path / "image.jpg")
    expected = np.asarray(Image.open(tmp_path / "image.jpg").convert("RGB"))
    assert torch.equal(found.mul(255).round().byte().permute(1, 2, 0), torch.from_numpy(expected.copy()))


@pytest.mark.parametrize("kept", [0.1, 0.0])
def test_a_jpeg_without_its_header_is_refused(tmp_path, kept):
    Image.fromarray(picture(SIDE, SIDE)).save(tmp_path / "image.jpg")
    whole = (tmp_path / "image.jpg").read_bytes()
    (tmp_path / "image.jpg").write_bytes(whole[: int(len(whole) * kept)])
    command = [PROGRAM, "view", "28", "28", tmp_path / "image.jpg", "28", "bicubic", "1", "short-side", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert "sample 0 of the pack: expected a JPEG file of 28 x 28 pixels, found " in done.stderr


def apply(path, name, images, strength, sampling):
    """The operation of that name on [n, 3, height, width] in [0, 1]."""
    images.numpy().tofile(path / "images")
    height, width = images.shape[2:]
    number = str(OPERATIONS.index(name))
    command = [PROGRAM, "operation", number, path / "images", str(height), str(width), repr(strength), sampling, path / "out"]
    subprocess.run(command, check=True)
    return torch.from_numpy(np.fromfile(path / "out", "<f4")).view(images.shape)


@pytest.mark.parametrize("sign", quick(1, [1, -1]))
@pytest.mark.parametrize("magnitude", quick(1, [9, 21]))  # at 20 a shear lands between two pixels
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "Invert"])
def test_rand_augment_s_operations_are_torchvision_s(tmp_path, name, magnitude, sign):
    images = torch.from_numpy(np.stack([picture(SIDE, SIDE), picture(40, 40)[12:, 12:] // 2 + 30]))
    images = images.permute(0, 3, 1, 2).contiguous()
    space = autoaugment.RandAugment()._augmentation_space(31, (SIDE, SIDE))
    magnitudes, signed = space[name]
    strength = float(magnitudes[magnitude]) if magnitudes.ndim else 0.0
    if name == "Solarize":
        strength /= 255
    if signed:
        strength *= sign
    found = apply(tmp_path, name, images.float() / 255, strength, "nearest")
    if name in ("Posterize", "Equalize"):  # of bytes
        expected = autoaugment._apply_op(images, name, strength, InterpolationMode.NEAREST, None).float() / 255
    else:
        expected = autoaugment._apply_op(images.float() / 255, name, strength, InterpolationMode.NEAREST, None)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    if name != "Identity":
        assert not torch.equal(found.mul(255).round().byte(), images)


# Pillow's bytes: rounded, or cut off, before and after a blend with a picture of bytes.
LEVELS = {"Color": 2, "Contrast": 2, "Brightness": 1, "Sharpness": 2, "AutoContrast": 1, "ShearX": 1, "ShearY": 1, "Rotate": 1}


@pytest.mark.parametrize("sign", quick(1, [1, -1]))
@pytest.mark.parametrize("magnitude", quick(1, [7, 3, 9]))  # at 6 a shear ends on the border itself
@pytest.mark.parametrize("name", OPERATIONS[1:])
def test_auto_augment_s_operations_are_torchvision_s(tmp_path, name, magnitude, sign):
    """On Pillow's images, as continual-learning code calls them, of another height than width."""
    height, width = 37, 61
    image = picture(height, width)
    magnitudes, signed = autoaugment.AutoAugment()._augmentation_space(10, (height, width))[name]
    strength = float(magnitudes[magnitude]) if magnitudes.ndim else 0.0
    command = [PROGRAM, "strength", str(OPERATIONS.index(name)), repr(magnitude / 9), str(height), str(width)]
    mine = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert mine * (255 if name == "Solarize" else 1) == pytest.approx(strength, rel=1e-5)
    if signed:
        strength, mine = strength * sign, mine * sign
    found = apply(tmp_path, name, F.pil_to_tensor(Image.fromarray(image))[None].float() / 255, mine, "bilinear")[0]
    expected = autoaugment._apply_op(Image.fromarray(image), name, strength, InterpolationMode.BILINEAR, None)
    expected = F.pil_to_tensor(expected).float() / 255
    torch.testing.assert_close(found, expected, atol=(LEVELS.get(name, 0) + 1e-3) / 255, rtol=0)
    assert not torch.equal(found.mul(255).round().byte(), F.pil_to_tensor(Image.fromarray(image)))


@pytest.mark.parametrize("policy", ["imagenet", "cifar10"])
def test_auto_augment_s_policies_are_torchvision_s(policy):
    lines = subprocess.run([PROGRAM, "policy", policy], check=True, capture_output=True, text=True).stdout.splitlines()
    found = [(OPERATIONS[int(number)], float(chance), float(magnitude)) for number, chance, magnitude in map(str.split, lines)]
    policies = autoaugment.AutoAugment(autoaugment.AutoAugmentPolicy(policy)).policies
    assert found == [(name, chance, magnitude or 0) for pair in policies for name, chance, magnitude in pair]
