"""palimpsest pack images: what an image becomes, how images are split, and what a pack of them looks like."""

import hashlib
import io
import json
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from image_support import PROGRAM, counts, encoded, folder, main, noise, only_image, samples, save
from PIL import Image

BLACK, WHITE = 0, 255


def one(pack, tmp_path, name, image, *options, **save_options):
    """The pixels that a file NAME becomes in a pack."""
    save(tmp_path / "source" / "class" / name, image, **save_options)
    return only_image(pack(tmp_path / "source", *options)[0], "class")


def test_pixels_of_png_and_lossless_webp_are_kept(pack, tmp_path):
    pixels = noise(1)
    assert (one(pack, tmp_path, "a.png", pixels) == pixels).all()
    (tmp_path / "source" / "class" / "a.png").unlink()
    assert (one(pack, tmp_path, "a.webp", pixels, lossless=True) == pixels).all()


def test_grey_is_repeated_in_three_colours(pack, tmp_path):
    grey = noise(1)[..., 0]
    assert (one(pack, tmp_path, "a.png", grey) == grey[..., None]).all()


def test_16_bit_grey_is_scaled_not_clipped(pack, tmp_path):
    deep = np.array([[0, 255, 256, 32896, 65280, 65535]], dtype="u2")
    assert one(pack, tmp_path, "a.png", deep)[0, :, 1].tolist() == [0, 0, 1, 128, 255, 255]


def test_palette_with_transparency_is_put_over_white(pack, tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], "u1"), "P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    pixels = one(pack, tmp_path, "a.png", image, transparency=bytes([255, 0, 255]))
    assert pixels.tolist() == [[[10, 20, 30], [WHITE] * 3, [70, 80, 90]]]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_put_over_white(pack, tmp_path, mode):
    image = Image.fromarray(np.array([[BLACK] * 3], "u1"), "L").convert(mode)
    image.putalpha(Image.fromarray(np.array([[0, 51, 255]], "u1")))
    assert one(pack, tmp_path, "a.png", image)[0, :, 0].tolist() == [WHITE, 204, BLACK]


def test_cmyk_jpeg_becomes_rgb(pack, tmp_path):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = one(pack, tmp_path, "a.jpg", image, quality=100).astype(int)
    assert np.abs(pixels - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(pack, tmp_path, orientation):
    upright = np.zeros((8, 16, 3), "u1")
    upright[:4, :8] = WHITE  # top left
    undone = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = one(pack, tmp_path, "a.png", np.ascontiguousarray(undone), "--strict", exif=exif)
    assert (pixels == upright).all()


def test_larger_images_are_resized_as_torchvision_does_and_smaller_ones_stay(pack, tmp_path):
    root = tmp_path / "source"
    large = save(root / "large" / "a.png", noise(1, 50, 33))
    save(root / "small" / "a.png", noise(2, 9, 40))
    path, *_ = pack(root, "--short-side", 10)
    expected = Image.open(large).resize((10, int(10 * 50 / 33)), Image.Resampling.BICUBIC)
    assert (only_image(path, "large") == np.asarray(expected)).all()
    assert (only_image(path, "small") == noise(2, 9, 40)).all()


def test_encoded_keeps_upright_jpeg_bytes_and_encodes_the_others(pack, tmp_path):
    root, exif = tmp_path / "source", Image.Exif()
    exif[0x0112] = 6
    rgb = save(root / "rgb" / "a.jpg", noise(1, 40, 30), quality=60)
    grey = save(root / "grey" / "a.jpg", noise(2)[..., 0])
    save(root / "turned" / "a.jpg", noise(3, 8, 16), exif=exif)
    save(root / "png" / "a.png", np.full((5, 7, 3), 99, "u1"))
    path, out, _ = pack(root, "--store", "encoded")
    found = {name: (data, shape) for name, _, data, shape in samples(path)}
    assert found["rgb"] == (rgb.read_bytes(), (40, 30, 3))
    assert found["grey"] == (grey.read_bytes(), (6, 8, 3))
    assert found["turned"][1] == (16, 8, 3) and found["png"][1] == (5, 7, 3)
    assert Image.open(io.BytesIO(found["turned"][0])).size == (8, 16)
    made = Image.open(io.BytesIO(found["png"][0]))
    assert made.format == "JPEG" and np.abs(np.asarray(made).astype(int) - 99).max() <= 1
    assert "encoded, height up to 40" in out


def test_short_side_is_refused_for_encoded_images(pack, tmp_path):
    root = folder(tmp_path / "source", {"a": 2})
    _, _, err = pack(root, "--store", "encoded", "--short-side", 8, code=2)
    assert "--short-side cannot be combined with --store encoded" in err


def test_hashed_split_gives_each_class_its_share_and_keeps_copies_together(pack, tmp_path):
    root = folder(tmp_path / "source", {"a": 20, "b": 10, "c": 2, "d": 1})
    for number in range(5):
        save(root / "a" / f"copy {number}.png", noise(3))
        save(root / "b" / f"copy {number}.png", noise(22))
    save(root / "b" / "also in a.png", noise(1))
    path, _, err = pack(root, "--test-share", 0.2)
    assert counts(path)["a"] == (20, 5) and counts(path)["b"] == (13, 3)
    assert counts(path)["c"] == (1, 1) and counts(path)["d"] == (1, 0)
    sides = {}
    for _, side, data, _ in samples(path):
        assert sides.setdefault(data, side) == side
    assert "11 images are copies of others" in err and "1 class has no test images: d" in err


def test_order_within_class_and_side_is_that_of_the_hashes(pack, tmp_path):
    root = folder(tmp_path / "source", {"b": 12, "a": 8})
    path, *_ = pack(root, "--seed", 5)
    key = {
        np.asarray(Image.open(file)).tobytes(): hashlib.sha256(
            f"{hashlib.sha256(file.read_bytes()).hexdigest()}\0005".encode()
        ).digest()
        for file in root.glob("*/*")
    }
    rows = [(name, side, key[data]) for name, side, data, _ in samples(path)]
    assert rows == sorted(rows)
    other, *_ = pack(root, "--seed", 6, name="other.h5")
    assert {row[2] for row in samples(path) if row[1]} != {row[2] for row in samples(other) if row[1]}


def content_hash(path):
    """The content hash from its definition, written again without the program's code."""
    with h5py.File(path) as file:
        parts = [b"/@kind\0str\0\0" + bytes(file.attrs["kind"]) + b"\0"]
        for name, code in (("bytes", "u1"), ("classes", "str"), ("labels", "i4"), ("offsets", "i8")):
            data = file[name][()]
            payload = b"".join(bytes(text) + b"\0" for text in data) if code == "str" else data.tobytes()
            parts.append(f"/{name}\0{code}\0{len(data)}\0".encode() + payload)
        shape = file["shape"][()]
        parts.append(f"/shape\0i8\0{len(shape)},3\0".encode() + shape.tobytes())
        parts.append(f"/split\0u1\0{len(shape)}\0".encode() + file["split"][()].tobytes())
        return hashlib.sha256(b"".join(parts)).hexdigest()


def test_pack_is_as_its_format_says(pack, tmp_path):
    root = folder(tmp_path / "source", {"a": 30, "b": 30})
    path, out, _ = pack(root, "--workers", 2)
    with h5py.File(path) as file:
        assert file["bytes"].id.get_offset() % 4096 == 0
        assert "vocabulary" not in file.attrs and "longest" not in file.attrs
        assert file.attrs["content_sha256"].decode() == content_hash(path)
        source = json.loads(file.attrs["source"].decode())
        for name in file:
            plist = file[name].id.get_create_plist()
            assert plist.get_layout() == h5py.h5d.CONTIGUOUS and plist.get_nfilters() == 0
    assert source["format"] == "folder" and source["images"] == 60 and source["short_side"] == 256
    assert content_hash(path) in out and "pixels, height up to 6, width up to 8" in out
    again, *_ = pack(root, name="again.h5")
    assert path.read_bytes() == again.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.h5", "pack.h5", "source"]


def test_show_and_protocol_take_image_packs(pack, tmp_path, capsys):
    path, *_ = pack(folder(tmp_path / "source", {"a": 10, "b": 10}))
    assert main(["show", str(path), "--sample", "0"]) == 0
    assert "sample 0, training, a: height 6, width 8, 144 bytes" in capsys.readouterr().out
    out = tmp_path / "protocol.json"
    options = "--name x --tasks 1 --classes-per-task 2 --train 8 --test 2".split()
    assert main(["protocol", "--pack", str(path), "--out", str(out), *options]) == 0
    protocol = json.loads(out.read_text())
    assert {name for task in protocol["tasks"] for name in task["classes"]} == {"a", "b"}
    assert protocol["pack_content_sha256"] == content_hash(path)
    damaged = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        damaged[file["bytes"].id.get_offset() + 200] ^= 1
    path.write_bytes(damaged)
    capsys.readouterr()
    assert main(["show", str(path)]) == 3
    assert "CRC-32C of sample 1" in capsys.readouterr().err


def test_an_interrupted_call_continues_where_it_stopped(pack, tmp_path):
    root = folder(tmp_path / "source", {"a": 20, "b": 20})
    expected, *_ = pack(root, name="whole.h5")
    (root / "b" / "19.png").write_bytes(b"broken")
    pack(root, "--strict", code=3)
    partial = tmp_path / "pack.h5.partial"
    with open(partial / "journal", "ab") as journal:
        journal.write(b'["half a li')
    _, _, err = pack(root, "--strict", "--seed", 3, code=3)
    assert "resuming after 31 of 40 images" in err  # 20 of a; 0, 1 and 10 to 18 of b
    assert f"31 images stay in {partial}; another call for the same files continues there" in err
    (root / "b" / "19.png").write_bytes(encoded(noise(40)))
    path, _, err = pack(root)  # another file: from the start
    assert "continuing" not in err
    assert path.read_bytes() == expected.read_bytes() and not partial.exists()


def test_nothing_stays_of_images_that_cannot_be_read(pack, tmp_path):
    root = folder(tmp_path / "source", {"a": 2})
    for path in (root / "a").iterdir():
        path.write_bytes(b"broken")
    err = pack(root, code=3)[2]
    assert "none of the 2 images could be read" in err and "stay in" not in err
    assert not (tmp_path / "pack.h5.partial").exists()


def test_a_killed_call_leaves_what_the_next_one_uses(tmp_path):
    root = tmp_path / "source"
    for number in range(48):
        save(root / "a" / f"{number}.png", noise(number, 500, 500), compress_level=1)
    command = [sys.executable, PROGRAM, "images", root, "--out", tmp_path / "p.h5", "--short-side", "400"]
    call = subprocess.Popen([*command, "--workers", "1"], stderr=subprocess.DEVNULL)
    journal = tmp_path / "p.h5.partial" / "journal"
    while call.poll() is None and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.01)
    call.send_signal(signal.SIGKILL)
    call.wait()
    assert not (tmp_path / "p.h5").exists()
    done = subprocess.run([*command, "--workers", "2"], capture_output=True, text=True)
    assert done.returncode == 0 and "resuming after" in done.stderr, done.stderr
    assert counts(tmp_path / "p.h5") == {"a": (38, 10)}
    assert not journal.parent.exists()
