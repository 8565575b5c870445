"""A source of images made into a pack."""

import collections
import dataclasses
import json
import os
import pathlib
import typing

import numpy as np
import PIL
from PIL import features

from ...counted import counted, form
from .. import InputError
from ..notes import note
from ..pack_file import PackIndex, offsets_of, write_samples
from ..progress import Progress
from . import sides
from .classes import expect_training, large_enough, note_without_test
from .decode import Storage, Stored
from .labels import number_classes
from .listing import Sample, index_of, read_lines, shown
from .parallel import BATCH, store_all
from .partial import Entry, Partial
from .sources import read_sources


@dataclasses.dataclass(frozen=True)
class Request:
    """What to pack and how: the options of `palimpsest pack images`."""

    sources: list[str]
    out: str
    storage: Storage
    format: str = "auto"
    class_folders: str = "first"
    class_names: str | None = None
    split: str = "auto"
    test_share: float = 0.2
    minimum_per_class: int = 0
    seed: int = 1
    workers: int = 1
    strict: bool = False


def make_pack(request: Request) -> tuple[PackIndex, str]:
    """Writes the pack and returns (PackIndex, content_sha256)."""
    with Partial(request.out) as partial:
        format_name, classes, samples = _listed(request, partial.folder)
        results = _stored(samples, partial, request)
        stored = {i: result for i, result in enumerate(results) if isinstance(result, Entry)}
        kept = list(stored)
        if not kept:
            raise InputError(
                f"{', '.join(map(shown, request.sources))}: none of the {counted(len(results), 'image')} could be read. {samples[0].place}: {results[0]}"
            )
        skipped = len(results) - len(kept)
        if skipped:
            note(f"{skipped} of {counted(len(results), 'image')} skipped, as listed above")
        remarks = collections.Counter(remark for entry in stored.values() for remark in entry.remarks)
        for remark, count in sorted(remarks.items()):
            note(f"{count} of {counted(len(results), 'image')} {remark}")
        classes, chosen, samples = large_enough(
            classes,
            [samples[i] for i in kept],
            request.minimum_per_class,
            "images that can be read",
        )
        entries = [stored[kept[i]] for i in chosen]
        index, entries = _split(classes, samples, entries, request)
        index = dataclasses.replace(index, source=_source(request, format_name, len(entries), skipped))
        digest = write_samples(request.out, index, map(partial.read, entries))
        partial.done()
    return index, digest


def _listed(request: Request, scratch: pathlib.Path) -> tuple[str, list[str], list[Sample]]:
    """(format, classes, samples labelled with indices into them)."""
    format_name, listing = read_sources(
        request.sources,
        scratch,
        request.format,
        request.class_folders,
        hashed=request.split == "hashed",
    )
    names = listing.names
    if request.class_names is not None:
        if names is not None:
            raise InputError(f"--class-names: expected a source whose labels are numbers, found the format {format_name}, which has class names. Leave it out")
        names = read_lines(request.class_names)
    for text in listing.notes:
        note(text)
    classes, samples = number_classes(listing.samples, names)
    classes, _, samples = large_enough(classes, samples, request.minimum_per_class, "images")
    if samples[0].side is not None:
        expect_training(classes, [index_of(s) for s in samples], [s.side for s in samples if s.side is not None])
    return format_name, classes, samples


def _stored(samples: list[Sample], partial: Partial, request: Request) -> list[Entry | str]:
    """Of every sample an Entry, or the reason why it is left out; from an earlier call where there was one."""
    results = partial.open(samples, request.storage)
    if results:
        note(f"resuming after {len(results)} of {counted(len(samples), 'image')}, from {partial.folder}")
    rest = samples[len(results) :]
    fresh = store_all(rest, request.storage, request.workers)
    with Progress("images", len(samples), len(results)) as progress:
        for sample, known in zip(samples, results, strict=False):
            _report(sample, known, request.strict, progress.say)
        try:
            for number, (sample, result) in enumerate(zip(rest, fresh, strict=False)):
                _report(sample, result, request.strict, progress.say)
                results.append(partial.add(result))
                progress.step()
                if number % BATCH == 0:
                    partial.flush()
        finally:
            fresh.close()
            partial.flush()
    return results


def _report(sample: Sample, result: Entry | Stored | str, strict: bool, say: typing.Callable[[str], None]) -> None:
    if isinstance(result, str):
        if strict:
            raise InputError(f"{sample.place}: the image cannot be read: {result}. Repair or delete it, or skip it by leaving --strict out")
        say(f"palimpsest pack: skipped {sample.place}: {result}")


def _split(classes: list[str], samples: list[Sample], entries: list[Entry], request: Request) -> tuple[PackIndex, list[Entry]]:
    """(PackIndex without its source, entries), both in the order of the pack."""
    labels = [index_of(sample) for sample in samples]
    keys = sides.keys_of([entry.digest for entry in entries], request.seed)
    if samples[0].side is None:
        split = sides.assign_sides(labels, keys, request.test_share)
        copies = len(keys) - len(set(keys))
        if copies:
            note(f"{counted(copies, 'image')} {form(copies, 'is a copy of another', 'are copies of others')}, byte for byte; all copies are on one side")
    else:
        split = np.array([sample.side for sample in samples], dtype="u1")
        both = sides.on_both_sides(split, keys)
        if both:
            note(f"{counted(both, 'test image')} {form(both, 'is also a training image', 'are also training images')}, byte for byte")
    expect_training(classes, labels, split)
    note_without_test(classes, labels, split)
    order = sides.order(labels, split, keys)
    entries = [entries[i] for i in order]
    index = PackIndex(
        kind=request.storage.kind,
        classes=classes,
        offsets=offsets_of(entry.size for entry in entries),
        shape=np.array([(entry.height, entry.width, 3) for entry in entries], dtype="<i8"),
        crc32c=np.array([entry.crc32c for entry in entries], dtype="<u4"),
        labels=np.array(labels, dtype="<i4")[order],
        split=split[order],
        source="",
    )
    return index, entries


def _source(request: Request, format_name: str, images: int, skipped: int) -> str:
    """JSON: how the pack was made."""
    return json.dumps(
        {
            "what": "images",
            "sources": [os.path.basename(os.path.abspath(shown(path))) for path in request.sources],
            "format": format_name,
            "images": images,
            "skipped": skipped,
            "short_side": request.storage.short_side,
            "most_pixels": request.storage.most_pixels,
            "class_folders": request.class_folders,
            "split": request.split,
            "test_share": request.test_share,
            "minimum_per_class": request.minimum_per_class,
            "seed": request.seed,
            "pillow": PIL.__version__,
            "libjpeg_turbo": features.version("libjpeg_turbo"),
            "libwebp": features.version("webp"),
        }
    )
