"""--store encoded: a JPEG file is kept where the trainer decodes it, else coded again and counted; `show` has the same rule."""

import ctypes
import io
import itertools

import h5py
import numpy as np
import pytest
from flat_jpeg import flat_jpeg
from image_support import encoded, folder, main, noise, samples, save
from palimpsest.pack import pack_file
from palimpsest.pack.jpeg_rule import why_frame_not_decoded
from PIL import Image, features

GREY_BLUE = 100, 130, 128  # as Y, Cb, Cr
ONE, ALL_ONE = [(1, 1)], [(1, 1)] * 3


@pytest.fixture(scope="module")
def turbojpeg():
    """The library that the trainer decodes with."""
    try:
        library = ctypes.CDLL("libturbojpeg.so.0")
    except OSError as error:
        pytest.skip(f"no TurboJPEG in this machine's library path: {error}")
    library.tjInitDecompress.restype = ctypes.c_void_p
    library.tjGetErrorStr2.restype = ctypes.c_char_p
    return library


def decoded_as_in_training(library, data):
    """Pixels [height, width, 3], or the library's error: the calls of src/data/pixel_source.cpp, which ignores warnings."""
    decoder = ctypes.c_void_p(library.tjInitDecompress())
    width, height, sampling, colours = (ctypes.c_int() for _ in range(4))
    size, rgb, accurate, fatal = ctypes.c_ulong(len(data)), 0, 4096, 1
    try:
        found = [ctypes.byref(number) for number in (width, height, sampling, colours)]
        failed = library.tjDecompressHeader3(decoder, data, size, *found)
        if failed and library.tjGetErrorCode(decoder) == fatal:
            return library.tjGetErrorStr2(decoder).decode()
        pixels = np.zeros((height.value, width.value, 3), "u1")
        out = pixels.ctypes.data_as(ctypes.c_void_p)
        failed = library.tjDecompress2(decoder, data, size, out, width, 0, height, rgb, accurate)
        if failed and library.tjGetErrorCode(decoder) == fatal:
            return library.tjGetErrorStr2(decoder).decode()
        return pixels
    finally:
        library.tjDestroy(decoder)


def test_the_rule_takes_the_samplings_that_turbojpeg_takes(turbojpeg):
    factors = list(itertools.product((1, 2, 3, 4), repeat=2))
    taken = []
    for combination in itertools.product(factors, repeat=3):
        data = flat_jpeg(combination, GREY_BLUE, 8, 8)
        if why_frame_not_decoded(data) is None:
            taken.append(combination)
            assert not isinstance(decoded_as_in_training(turbojpeg, data), str), combination
        elif not isinstance(decoded_as_in_training(turbojpeg, data), str):
            assert combination == ((1, 4), (1, 1), (1, 1)), combination  # 4:4:1, known to TurboJPEG 3
    assert len(taken) == 11


KEPT = {
    "4:4:4": flat_jpeg(ALL_ONE, GREY_BLUE),
    "4:2:2": flat_jpeg([(2, 1), (1, 1), (1, 1)], GREY_BLUE),
    "4:4:0": flat_jpeg([(1, 2), (1, 1), (1, 1)], GREY_BLUE),
    "4:2:0": flat_jpeg([(2, 2), (1, 1), (1, 1)], GREY_BLUE),
    "4:1:1": flat_jpeg([(4, 1), (1, 1), (1, 1)], GREY_BLUE),
    "4:2:2 in other words": flat_jpeg([(2, 2), (1, 2), (1, 2)], GREY_BLUE),
    "grey": flat_jpeg(ONE, GREY_BLUE),
    "grey of factors 2 x 2": flat_jpeg([(2, 2)], GREY_BLUE),
    "extended": flat_jpeg(ALL_ONE, GREY_BLUE, frame=0xC1),
    "RGB, by Adobe's marker": flat_jpeg(ALL_ONE, (100, 110, 120), adobe=0),
    "bytes after the end": flat_jpeg(ALL_ONE, GREY_BLUE) + b"more" * 100,
    "Adobe's marker with a transform that doesn't exist": flat_jpeg(ALL_ONE, GREY_BLUE, adobe=7),
    "bytes between segments": flat_jpeg(ALL_ONE, GREY_BLUE).replace(b"\xff\xc0", b"\0\0\xff\xff\xc0"),
}
with io.BytesIO() as out:
    Image.fromarray(noise(1, 40, 30)).save(out, "JPEG", progressive=True)
    KEPT["progressive"] = out.getvalue()


@pytest.mark.parametrize("name", KEPT)
def test_files_that_the_trainer_decodes_are_kept(pack, tmp_path, turbojpeg, name):
    (tmp_path / "s" / "a").mkdir(parents=True)
    (tmp_path / "s" / "a" / "x.jpg").write_bytes(KEPT[name])
    path, _, err = pack(tmp_path / "s", "--store", "encoded")
    ((_, _, data, shape),) = samples(path)
    assert data == KEPT[name] and "coded again" not in err
    assert decoded_as_in_training(turbojpeg, data).shape == shape


# What it is: the file, the pixel that it shows, and the reason that the note gives.
CODED_AGAIN = {
    "4:1:0": (flat_jpeg([(4, 2), (1, 1), (1, 1)], GREY_BLUE), (100, 99, 104), "sampling factors 4x2, 1x1, 1x1"),
    "4:4:1": (flat_jpeg([(1, 4), (1, 1), (1, 1)], GREY_BLUE), (100, 99, 104), "sampling factors 1x4, 1x1, 1x1"),
    "3:1": (flat_jpeg([(3, 1), (1, 1), (1, 1)], GREY_BLUE), (100, 99, 104), "sampling factors 3x1, 1x1, 1x1"),
    "chroma finer than luma": (flat_jpeg([(1, 1), (2, 1), (2, 1)], GREY_BLUE), (100, 99, 104), "1x1, 2x1, 2x1"),
    "chroma unlike": (flat_jpeg([(2, 2), (2, 1), (1, 2)], GREY_BLUE), (100, 99, 104), "2x2, 2x1, 1x2"),
    "CMYK": (flat_jpeg([(1, 1)] * 4, (255, 55, 255, 255), adobe=0), (255, 55, 255), "JPEG of 4 colours"),
    "YCCK": (flat_jpeg([(2, 2), (1, 1), (1, 1), (2, 2)], (200, 128, 128, 255), adobe=2), (55, 55, 55), "JPEG of 4 colours"),
}
LOSSLESS = {
    "lossless": (flat_jpeg(ALL_ONE, (10, 20, 30), frame=0xC3), (10, 20, 30), "lossless or hierarchical JPEG"),
    "lossless grey": (flat_jpeg(ONE, (77,), frame=0xC3), (77, 77, 77), "lossless or hierarchical JPEG"),
}
if features.version("libjpeg_turbo").startswith("3"):  # older ones don't decode it: skipped and listed
    CODED_AGAIN |= LOSSLESS


@pytest.mark.parametrize("name", CODED_AGAIN)
def test_files_that_the_trainer_refuses_are_coded_again_and_counted(pack, tmp_path, turbojpeg, name):
    file, pixel, reason = CODED_AGAIN[name]
    assert isinstance(decoded_as_in_training(turbojpeg, file), str) or name == "4:4:1"
    (tmp_path / "s" / "a").mkdir(parents=True)
    (tmp_path / "s" / "a" / "x.jpg").write_bytes(file)
    save(tmp_path / "s" / "a" / "y.jpg", noise(1))
    path, _, err = pack(tmp_path / "s", "--store", "encoded")
    assert "note: 1 of 2 images coded again as JPEG of quality 95: " in err and reason in err
    (data,) = [data for _, _, data, shape in samples(path) if shape == (16, 16, 3)]
    pixels = decoded_as_in_training(turbojpeg, data).astype(int)
    assert np.abs(pixels - pixel).max() <= 2
    assert main(["show", str(path)]) == 0


def test_what_is_no_upright_jpeg_is_coded_again_and_counted_by_kind(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 3})
    save(root / "a" / "x.webp", noise(5))
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(2):
        save(root / "a" / f"turned {number}.jpg", noise(6 + number), exif=exif)
    frames = [Image.fromarray(noise(8 + number)) for number in range(3)]
    frames[0].save(root / "a" / "moving.png", save_all=True, append_images=frames[1:])
    _, _, err = pack(root, "--store", "encoded")
    assert "note: 4 of 7 images coded again as JPEG of quality 95: PNG\n" in err
    assert "note: 1 of 7 images coded again as JPEG of quality 95: WEBP\n" in err
    assert "note: 2 of 7 images coded again as JPEG of quality 95: JPEG turned by its EXIF (orientation 6)\n" in err
    assert "note: 1 of 7 images have more frames than the first, which alone is packed\n" in err


TRUNCATED = encoded(noise(1, 60, 60), "JPEG")
SKIPPED = {
    "cut": (TRUNCATED[:2000], "image file is truncated"),
    "no end": (TRUNCATED[:-2], "image file is truncated"),
    "12 bits": (flat_jpeg(ALL_ONE, (100, 110, 120), frame=0xC1, bits=12), "expected a JPEG, PNG or WebP image"),
    "2 colours": (flat_jpeg([(1, 1)] * 2, GREY_BLUE), "expected a JPEG, PNG or WebP image"),
    "hierarchical": (flat_jpeg(ALL_ONE, GREY_BLUE, frame=0xC5), "broken data stream"),
    "factors that no library decodes": (flat_jpeg([(3, 1), (2, 1), (1, 1)], GREY_BLUE), "broken data stream"),
    "no height": (flat_jpeg(ALL_ONE, GREY_BLUE).replace(b"\x08\0\x10\0\x10", b"\x08\0\0\0\x10"), ""),
    "too many pixels": (
        flat_jpeg(ALL_ONE, GREY_BLUE).replace(b"\x08\0\x10\0\x10", b"\x08\xff\0\xff\0"),
        "expected at most 89478485 pixels (--max-pixels), found 65280 x 65280 in the header",
    ),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_files_that_cannot_be_decoded_are_skipped_and_listed(pack, tmp_path, name):
    file, reason = SKIPPED[name]
    root = folder(tmp_path / "s", {"a": 2})
    (root / "a" / "x.jpg").write_bytes(file)
    path, _, err = pack(root, "--store", "encoded")
    assert f"palimpsest pack: skipped {root}/a/x.jpg: {reason}" in err
    assert "1 of 3 images skipped, as listed above" in err and len(samples(path)) == 2


@pytest.mark.parametrize(
    "start, what",
    [
        (encoded(noise(1), "GIF"), "a GIF image"),
        (encoded(noise(1), "BMP"), "a BMP image"),
        (encoded(noise(1), "TIFF"), "a TIFF image"),
        (b"\0\0\0\x18ftypheic", "a HEIC or AVIF image, or a video"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS: git lfs pull gets the file"),
        (b"<!DOCTYPE html>", "a web page, SVG or XML"),
        (SKIPPED["2 colours"][0], "a JPEG file that Pillow doesn't know"),
        (b"", "an empty file"),
        (b"text", "something else"),
    ],
)
def test_files_that_are_only_named_like_images_are_skipped_as_what_they_are(pack, tmp_path, start, what):
    root = folder(tmp_path / "s", {"a": 1})
    (root / "a" / "x.jpg").write_bytes(start)
    assert f"skipped {root}/a/x.jpg: expected a JPEG, PNG or WebP image, found {what}\n" in pack(root)[2]


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_files_whose_exif_turns_nothing_are_kept(pack, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = save(tmp_path / "s" / "a" / "x.jpg", noise(1), exif=exif)
    path, _, err = pack(tmp_path / "s", "--store", "encoded")
    assert samples(path)[0][2] == file.read_bytes() and "coded again" not in err


def test_an_image_longer_than_jpeg_allows_is_skipped_and_listed(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 2})
    save(root / "a" / "line.png", np.zeros((1, 65501), "u1"))
    _, _, err = pack(root, "--store", "encoded")
    assert "a/line.png: expected sides of at most 65500 pixels, found 65501 x 1" in err


def pack_of(path, data, height=16, width=16):
    """A pack of kind encoded with one sample, made without the packer's rules."""
    index = pack_file.PackIndex(
        "encoded",
        ["a"],
        pack_file.offsets_of([len(data)]),
        np.array([[height, width, 3]], "<i8"),
        np.array([pack_file.crc32c(data)], "<u4"),
        np.zeros(1, "<i4"),
        np.zeros(1, "u1"),
        "{}",
    )
    pack_file.write_samples(path, index, [data])
    return path


TURNED = Image.Exif()
TURNED[0x0112] = 3
with io.BytesIO() as out:
    Image.fromarray(noise(1, 16, 16)).save(out, "JPEG", exif=TURNED)
    TURNED_FILE = out.getvalue()
REFUSED_BY_SHOW = {name: (file, reason) for name, (file, _, reason) in CODED_AGAIN.items()} | {
    "no JPEG": (encoded(noise(1, 16, 16)), "found no JPEG file that can be read"),
    "another size": (flat_jpeg(ALL_ONE, GREY_BLUE, 16, 24), "found 24 x 16 pixels"),
    "turned": (TURNED_FILE, "turned by its EXIF (orientation 3)"),
    "12 bits": (SKIPPED["12 bits"][0], "found no JPEG file that can be read"),
}


@pytest.mark.parametrize("name", REFUSED_BY_SHOW)
def test_show_refuses_samples_that_the_trainer_refuses(tmp_path, capsys, name):
    file, reason = REFUSED_BY_SHOW[name]
    path = pack_of(tmp_path / "p.h5", file)
    assert main(["show", str(path)]) == 3
    err = capsys.readouterr().err
    assert "/bytes, sample 0: expected an upright JPEG file of 16 x 16 pixels that the trainer decodes, found" in err
    assert reason in err and "Make the pack again" in err


@pytest.mark.parametrize("name", [name for name in KEPT if name != "progressive"])
def test_show_takes_samples_that_the_trainer_takes(tmp_path, capsys, name):
    path = pack_of(tmp_path / "p.h5", KEPT[name])
    assert main(["show", str(path)]) == 0
    with h5py.File(path) as file:
        assert file.attrs["content_sha256"].decode() in capsys.readouterr().out
