"""JPEG files of one flat colour, coded by hand, so that every field of their headers can be what a test wants."""

import struct

# Codes of 4 bits for the 12 sizes of a difference, and one of 1 bit for "no more coefficients".
DIFFERENCES = bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12))
NO_MORE = bytes([1] + [0] * 15) + bytes(1)


def flat_jpeg(factors, values, height=16, width=16, frame=0xC0, bits=8, adobe=None):
    """A file of colours with these sampling factors [(horizontal, vertical)] and values.

    `frame` is the last byte of the marker: C0 baseline, C1 extended, C3 lossless. `adobe`: Adobe's colour transform.
    """
    lossless, colours = frame == 0xC3, range(len(factors))
    header = struct.pack(">BHHB", bits, height, width, len(factors))
    header += b"".join(bytes([i, h << 4 | v, 0]) for i, (h, v) in enumerate(factors))
    scan = bytes([len(factors)]) + b"".join(bytes([i, 0]) for i in colours) + (b"\1\0\0" if lossless else b"\0\x3f\0")
    return b"".join(
        [
            b"\xff\xd8",
            b"" if adobe is None else _segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe)),
            _segment(0xDB, b"\0" + b"\1" * 64),
            _segment(frame, header),
            _segment(0xC4, b"\0" + DIFFERENCES),
            b"" if lossless else _segment(0xC4, b"\x10" + NO_MORE),
            _segment(0xDA, scan),
            _coded(factors, values, height, width, bits, lossless),
            b"\xff\xd9",
        ]
    )


def _segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _coded(factors, values, height, width, bits, lossless):
    """Per unit of all colours the blocks of each: the first has the value, all others the same as the one before."""
    if len(factors) == 1:
        factors = [(1, 1)]  # a scan of one colour goes block by block
    side = 1 if lossless else 8
    across = -(-width // (side * max(h for h, _ in factors)))
    down = -(-height // (side * max(v for _, v in factors)))
    end = "" if lossless else "0"
    units = [[f"{0:04b}{end}"] * (h * v) for h, v in factors]
    first = [list(blocks) for blocks in units]
    for blocks, value in zip(first, values):
        blocks[0] = _difference((value - (1 << bits - 1)) * side) + end
    text = "".join("".join("".join(blocks) for blocks in unit) for unit in [first] + [units] * (across * down - 1))
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


def _difference(value):
    size = abs(value).bit_length()
    return f"{size:04b}" + (f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else "")
