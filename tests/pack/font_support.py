"""TrueType fonts made on the spot: every character is a polygon that its name and a seed decide."""

import pathlib
import random
import struct

from palimpsest.pack.glyphs import CHARACTERS

UNITS, CAPITALS = 1000, 700


def polygon(seed):
    """Corners of a shape as high as a capital."""
    draw = random.Random(seed)
    points = [(draw.randrange(0, 600, 10), draw.randrange(0, CAPITALS, 10)) for _ in range(6)]
    top = draw.randrange(100, 500, 10)
    return [(0, 0), (top, CAPITALS), (top + 100, CAPITALS), *points, (100, 0)]


def save_font(path, family, style="Regular", seed=None, lacking="", drawn_as=None, characters=CHARACTERS):
    """A font whose shapes `seed` (the family's name) decides. `drawn_as`: {character: the one whose shape it gets}."""
    seed, drawn_as = family if seed is None else seed, drawn_as or {}
    kept = sorted(set(characters) - set(lacking))
    glyphs = [_glyph(polygon("no character"))]
    glyphs += [_glyph(polygon(f"{seed} {drawn_as.get(character, character)}")) for character in kept]
    offsets = [sum(map(len, glyphs[:number])) for number in range(len(glyphs) + 1)]
    count = len(glyphs)
    tables = {
        b"cmap": _characters(kept),
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(">IIIIHHQQ4hHHhhh", 0x10000, 0, 0, 0x5F0F3CF5, 0, UNITS, 0, 0, 0, 0, 600, CAPITALS, 0, 8, 2, 1, 0),
        b"hhea": struct.pack(">I3hH11hH", 0x10000, 800, -200, 0, 700, *[0] * 11, count),
        b"hmtx": struct.pack(">Hh", 700, 0) * count,
        b"loca": struct.pack(f">{count + 1}I", *offsets),
        b"maxp": struct.pack(">IH13H", 0x10000, count, 9, 1, 0, 0, 2, *[0] * 8),
        b"name": _names({1: family, 2: style}),
    }
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_bytes(_file(tables))
    return path


def _glyph(points):
    steps = [(x - u, y - v) for (x, y), (u, v) in zip(points, [(0, 0), *points])]
    columns, rows = zip(*points)
    data = struct.pack(">5h", 1, min(columns), min(rows), max(columns), max(rows))
    data += struct.pack(">HH", len(points) - 1, 0) + b"\1" * len(points)
    data += b"".join(struct.pack(">h", x) for x, _ in steps) + b"".join(struct.pack(">h", y) for _, y in steps)
    return data + bytes(-len(data) % 4)


def _characters(kept):
    groups = b"".join(struct.pack(">III", ord(c), ord(c), number) for number, c in enumerate(kept, 1))
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + struct.pack(">HHIII", 12, 0, 16 + len(groups), 0, len(kept)) + groups


def _names(names):
    texts = [text.encode("utf-16-be") for text in names.values()]
    records, offset = b"", 0
    for number, text in zip(names, texts):
        records += struct.pack(">6H", 3, 1, 0x409, number, len(text), offset)
        offset += len(text)
    return struct.pack(">HHH", 0, len(names), 6 + len(records)) + records + b"".join(texts)


def _file(tables):
    head, body, offset = struct.pack(">IHHHH", 0x10000, len(tables), 0, 0, 0), b"", 12 + 16 * len(tables)
    for tag, data in tables.items():
        head += struct.pack(">4sIII", tag, 0, offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return head + body
