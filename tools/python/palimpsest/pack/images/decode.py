"""One image: read, decoded to upright 8-bit RGB, and stored as pixels or as a JPEG file.

An image that can't be decoded whole is skipped and listed; what isn't stored as it was is counted in a note.
"""

import dataclasses
import hashlib
import io
import typing
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..jpeg_rule import orientation_of, why_not_decoded
from .listing import Sample

LONGEST_SIDE = 1 << 16  # that a pack may have
LONGEST_JPEG = 65500  # that libjpeg codes
FORMATS = ("JPEG", "PNG", "WEBP")
JPEG_QUALITY = 95
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What files are that are named like images and are none, by their first bytes.
_OTHERS = [
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\xff\xd8\xff", "a JPEG file that Pillow doesn't know"),
    (b"version https://git-lfs", "a pointer of Git LFS: git lfs pull gets the file"),
    (b"<", "a web page, SVG or XML"),
]
Image.MAX_IMAGE_PIXELS = None  # Storage.most_pixels replaces it


@dataclasses.dataclass(frozen=True)
class Storage:
    """How images are stored."""

    kind: str  # "pixels" or "encoded"
    short_side: int | None  # pixels: larger images are resized to it
    most_pixels: int  # images with more by their header are not decoded


class Stored(typing.NamedTuple):
    digest: str  # SHA-256 of the bytes as the source has them
    height: int
    width: int
    data: bytes  # uint8 [height, width, 3], or a JPEG file
    remarks: list[str]  # what a note counts of it


class _Refused(Exception):
    """Why an image is not taken."""


def store(sample: Sample, storage: Storage) -> Stored | str:
    """A Stored, or as text the reason why the image cannot be taken."""
    try:
        data = _bytes_of(sample)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _raw(data, sample.raw) if sample.raw else _opened(data, storage.most_pixels)
            stored, size, remarks = _stored(image, data, storage)
    except _Refused as error:
        return str(error)
    except MemoryError:
        raise  # of this machine, not of the file
    except Exception as error:  # decoders meet broken files with exceptions of every type
        return f"{error}" or type(error).__name__
    return Stored(hashlib.sha256(data).hexdigest(), *size, stored, remarks)


def _bytes_of(sample: Sample) -> bytes:
    try:
        with open(sample.file, "rb") as file:
            file.seek(sample.offset)
            data = file.read(sample.size)
    except OSError as error:
        raise _Refused(error.strerror) from None
    if sample.size not in (-1, len(data)):
        raise _Refused(f"expected {sample.size} bytes, found {len(data)}")
    return data


def _raw(data: bytes, shape: tuple[int, int, int]) -> Image.Image:
    planes = np.frombuffer(data, dtype="u1").reshape(shape)
    return Image.fromarray(planes[0] if shape[0] == 1 else planes.transpose(1, 2, 0).copy())


def _opened(data: bytes, most_pixels: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise _Refused(f"expected a JPEG, PNG or WebP image, found {_other(data)}") from None
    width, height = image.size
    if width * height > most_pixels:
        raise _Refused(f"expected at most {most_pixels} pixels (--max-pixels), found {width} x {height} in the header")
    return image


def _other(data: bytes) -> str:
    if data[4:8] == b"ftyp":  # a box of ISO media files; its brand follows
        return "a HEIC or AVIF image, or a video"
    return next((what for start, what in _OTHERS if data.startswith(start)), "something else" if data else "an empty file")


def _stored(image: Image.Image, data: bytes, storage: Storage) -> tuple[bytes, tuple[int, int], list[str]]:
    """(bytes, (height, width), remarks)."""
    remarks = ["have more frames than the first, which alone is packed"] if getattr(image, "is_animated", False) else []
    if image.mode.startswith("I"):
        remarks.append("have grey values of 16 bits, whose upper 8 are packed")
    if storage.kind == "pixels":
        rgb = resized(whole := upright_rgb(image), storage.short_side)
        remarks += [] if rgb is whole else [f"resized to a short side of {storage.short_side}"]
        return rgb.tobytes(), _checked_size(rgb, LONGEST_SIDE), remarks
    reason = why_not_decoded(image, data) if image.format else "pixels"
    if reason is None:
        image.load()
        return data, _checked_size(image, LONGEST_SIDE), remarks
    rgb = upright_rgb(image)
    size = _checked_size(rgb, LONGEST_JPEG)
    out = io.BytesIO()
    rgb.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue(), size, [*remarks, f"coded again as JPEG of quality {JPEG_QUALITY}: {reason}"]


def _checked_size(image: Image.Image, longest: int) -> tuple[int, int]:
    width, height = image.size
    if max(width, height) > longest:
        raise _Refused(f"expected sides of at most {longest} pixels, found {width} x {height}")
    return height, width


def upright_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB as one sees the image: turned as its EXIF says, transparency over white."""
    orientation = orientation_of(image)
    image.load()
    if image.mode.startswith("I"):  # 16-bit grey: the upper byte, as Pillow does with 16-bit colours
        image = Image.fromarray((np.asarray(image) >> 8).astype("u1"))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    image = image.convert("RGB")
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def resized(image: Image.Image, short_side: int | None) -> Image.Image:
    """As torchvision's Resize(short_side, bicubic, antialias) does, when the short side is longer; else the image, as without a short side."""
    width, height = image.size
    if short_side is None or min(width, height) <= short_side:
        return image
    long_side = int(short_side * max(width, height) / min(width, height))
    size = (short_side, long_side) if width <= height else (long_side, short_side)
    return image.resize(size, Image.Resampling.BICUBIC)
