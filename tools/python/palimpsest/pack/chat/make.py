"""Rows of prompts and completions, or of plain text, made into a pack of kind "sequences"."""

import array
import itertools
import json
import typing

import numpy as np

from ...counted import counted, form
from .. import InputError
from ..arrays import Ints
from ..notes import note
from ..pack_file import PackIndex, offsets_of, write_samples
from ..pack_hash import sha256
from ..progress import Progress
from ..texts import sides
from ..texts.arrange import Rules, Texts, arrange
from ..texts.make import BATCH, MB, Request, describe_cuts, files_of, none_of, split_of
from ..texts.places import Places
from ..texts.record import Position
from ..texts.rows import Skipped
from ..texts.spool import Spool
from ..texts.tokenizer import Encoded
from .encode import Encoder, Row, Sequence

MOST_CHARACTERS = 1 << 20  # encoded at once
_REMEDY = "Is --task the right column, or are the files named by their tasks?"


class _Samples(typing.NamedTuple):
    texts: Texts
    counts: Ints  # [samples]: completions of each
    completions: Ints  # [completions, 2]: begin and end of each, in the order of the source
    rows: int  # that have samples


def pack_chat(
    request: Request, encoder: Encoder, rows: typing.Iterable[Row], skipped: Skipped, source: dict[str, object], position: Position, size: int
) -> tuple[PackIndex, str]:
    """Writes samples by task, side and hash of the tokens, and returns (PackIndex, content_sha256).

    Rows without a side are split by hash. `skipped` lists those that can't be used, `position` says how many of `size` bytes are read.
    """
    with Spool(request.out, None, BATCH) as spool:
        samples = _collect(request, encoder, rows, spool, skipped, position, size)
        skipped.note(samples.rows + skipped.count)
        if not samples.rows:
            raise InputError(
                f"{files_of(source)}: expected rows with a prompt and a completion, or with plain text, found {none_of(skipped.count, 'Are these')}"
            )
        texts = arrange(Rules(request.test_share, 0, 1, "sample", _REMEDY), samples.texts)
        more = {"samples": len(texts.labels), "rows_skipped": skipped.count, **split_of(request, samples.texts)}
        index = _index(encoder, texts, samples, {**source, **more})
        digest = write_samples(request.out, index, spool.samples(texts.begins, index))
        spool.done()
    return index, digest


def _collect(request: Request, encoder: Encoder, rows: typing.Iterable[Row], spool: Spool, skipped: Skipped, position: Position, size: int) -> _Samples:
    """Encodes the rows into the spool."""
    number: dict[str, int] = {}
    labels, sides_given, counts, completions = array.array("i"), array.array("b"), array.array("q"), array.array("q")
    keys, groups = array.array("Q"), array.array("Q")
    places = Places()
    used = 0
    with Progress("MB", max(1, size / MB)) as progress:
        for batch in _batches(rows):
            made: list[Sequence] = []
            for row, found in encoder.encode(batch):
                if isinstance(found, str):
                    skipped.add(row.place, found)
                    continue
                used += 1
                made += found
                for sequence in found:
                    key = sides.key_of(np.asarray(sequence.ids, "<i4").tobytes().hex(), request.seed)
                    labels.append(number.setdefault(row.task, len(number)))
                    sides_given.append(-1 if row.side is None else row.side)
                    keys.append(key)
                    groups.append(key if row.prompt is None else sides.key_of(row.prompt, request.seed))
                    places.append(row.head, row.number)
                    counts.append(len(sequence.completions))
                    completions.extend(itertools.chain.from_iterable(sequence.completions))
            if made:
                spool.add(_encoded(made))
            progress.move(position.total() / MB)
    records = spool.records()
    lengths = records["tokens"].astype("<i8")
    side = np.frombuffer(sides_given, "i1")
    texts = Texts(
        list(number),
        np.frombuffer(labels, "i4"),
        None if len(side) and side[0] < 0 else side.astype("u1"),
        np.frombuffer(keys, "u8"),
        np.frombuffer(groups, "u8"),
        places,
        records,
        4 * (np.cumsum(lengths) - lengths),
        np.arange(len(lengths)),
    )
    return _Samples(texts, np.frombuffer(counts, "<i8"), np.frombuffer(completions, "<i8").reshape(-1, 2), used)


def _batches(rows: typing.Iterable[Row]) -> typing.Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(piece.text) for piece in row.pieces)
        if len(batch) == BATCH or size > MOST_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _encoded(made: list[Sequence]) -> Encoded:
    lengths = np.array([len(sequence.ids) for sequence in made], "<i4")
    ids = np.fromiter(itertools.chain.from_iterable(sequence.ids for sequence in made), dtype="<i4", count=int(lengths.sum()))
    return Encoded(ids, lengths, np.array([sequence.whole for sequence in made], "<i4"))


def _index(encoder: Encoder, texts: Texts, samples: _Samples, source: dict[str, object]) -> PackIndex:
    """The index of a pack of samples with sides, in their order."""
    assert texts.split is not None and texts.numbers is not None
    before = offsets_of(samples.counts)
    counts = samples.counts[texts.numbers]
    offsets = offsets_of(counts)
    rows = np.arange(offsets[-1]) + np.repeat(before[texts.numbers] - offsets[:-1], counts)
    lengths = texts.records["tokens"].astype("<i8")
    source |= describe_cuts(texts.records, encoder.most, "sample") | {"tokenizer_sha256": sha256(encoder.tokenizer.to_str())}
    source |= _end_of_turn(encoder)
    return PackIndex(
        kind="sequences",
        classes=texts.names,
        offsets=offsets_of(4 * lengths),
        shape=lengths.reshape(-1, 1),
        crc32c=texts.records["crc32c"].astype("<u4"),
        labels=texts.labels.astype("<i4"),
        split=texts.split.astype("u1"),
        source=json.dumps(source),
        vocabulary=encoder.tokenizer.get_vocab_size(),
        completions=samples.completions[rows],
        completion_offsets=offsets,
    )


def _end_of_turn(encoder: Encoder) -> dict[str, object]:
    """The special token at the end of completions where all have the same; a note on those that have none."""
    endless, total = encoder.ends[None], encoder.ends.total()
    if endless:
        note(f"{endless} of {counted(total, 'completion')} {form(endless, 'ends', 'end')} without a special token: a model can't learn where these answers end")
    found = [end for end in encoder.ends if end is not None]
    return {"end_of_turn": found[0]} if len(found) == 1 else {}
