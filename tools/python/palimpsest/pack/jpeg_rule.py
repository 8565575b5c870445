"""Which JPEG files the trainer decodes as they are (src/data/pixel_source.cpp, TurboJPEG 2): one rule for packing and for checking a pack.

What the rule doesn't take, `images` codes again and counts in a note, and `show` refuses by sample.
"""

import io
import warnings

from PIL import Image

ORIENTATION = 0x0112  # of EXIF
# Start-of-frame markers that aren't coding processes: tables, an extension and arithmetic conditioning.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Baseline, extended and progressive, with Huffman codes or arithmetic ones.
_DECODED = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_LUMA = {(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)}  # beside chroma of 1 x 1: 4:4:4, 4:2:2, 4:4:0, 4:2:0, 4:1:1


def why_not_decoded(image: Image.Image, data: bytes) -> str | None:
    """None for a JPEG file that the trainer takes, else what is against it. `image` is Pillow's, opened from `data`."""
    if image.format != "JPEG":
        return image.format
    orientation = orientation_of(image)
    if orientation != 1:
        return f"JPEG turned by its EXIF (orientation {orientation})"
    return why_frame_not_decoded(data)


def why_frame_not_decoded(data: bytes) -> str | None:
    """As why_not_decoded(), by the frame header alone."""
    marker, bits, factors = _frame(data)
    if bits != 8:
        return f"JPEG of {bits} bits"
    if marker not in _DECODED:
        return "lossless or hierarchical JPEG"
    if len(factors) not in (1, 3):
        return f"JPEG of {len(factors)} colours"
    if len(factors) == 3 and not _sampling_is_known(*factors):
        return "JPEG with the sampling factors " + ", ".join(f"{h}x{v}" for h, v in factors)
    return None


def check_sample(data: bytes, height: int, width: int) -> str | None:
    """None for a sample as packs of kind encoded have it, else what was found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=("JPEG",))
            found = why_not_decoded(image, data)
        except Exception:  # decoders meet broken files with exceptions of every type
            return "no JPEG file that can be read"
    return f"{image.size[0]} x {image.size[1]} pixels" if image.size != (width, height) else found


def orientation_of(image: Image.Image) -> int:
    """From 1 to 8 as EXIF has it; 1 where the image is upright or doesn't say."""
    try:
        found = image.getexif().get(ORIENTATION)
    except Exception:  # broken EXIF says nothing
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _frame(data: bytes) -> tuple[int, int, list[tuple[int, int]]]:
    """(marker, bits, [(horizontal, vertical) sampling factor by colour]) of the first frame header."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0:  # bytes between segments are skipped, as decoders do
        kind = data[at + 1 : at + 2]
        if kind in (b"\xff", b"\0", b"\1") or b"\xd0" <= kind <= b"\xd8":
            at += 1 if kind == b"\xff" else 2  # of no length
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if kind and kind[0] in _FRAMES:
            body = data[at + 4 : at + 2 + size]
            return kind[0], body[0], [divmod(byte, 16) for byte in body[7::3]]
        at += 2 + size
    return 0, 0, []


def _sampling_is_known(luma: tuple[int, int], *chroma: tuple[int, int]) -> bool:
    """As TurboJPEG 2 distinguishes samplings, those that are written in unusual ways included."""
    if len(set(chroma)) != 1:
        return False
    if chroma[0] == luma:
        return luma[0] * luma[1] <= 3
    return (chroma[0] == (1, 1) and luma in _LUMA) or (luma == (2, 2) and chroma[0] in {(2, 1), (1, 2)})
