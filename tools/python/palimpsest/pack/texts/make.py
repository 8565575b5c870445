"""Rows of any source made into a pack."""

import array
import json
import typing

import numpy as np
import tokenizers
from tokenizers import Tokenizer

from ...counted import counted, form
from .. import InputError
from ..arrays import Ints
from ..notes import note
from ..pack_file import PackIndex, offsets_of, write_samples
from ..pack_hash import sha256
from ..progress import Progress
from . import sides
from .arrange import Rules, Texts, arrange
from .places import Places
from .record import Position
from .rows import Row, Skipped, Unusable
from .spool import Records, Spool
from .tokenizer import encode, max_length

BATCH = 1024  # texts encoded at once
MOST_FILES = 3  # files in a message
MB = 1 << 20


class Request(typing.NamedTuple):
    """What decides a pack besides its rows."""

    out: str
    tokenizer: Tokenizer
    test_share: float = 0.2
    minimum_per_class: int = 0
    seed: int = 1
    has_groups: bool = False


def pack_in_order(request: Request, classes: list[str], rows: typing.Iterable[Row], source: dict[str, object]) -> tuple[PackIndex, str]:
    """Writes rows, which have sides, in their order, and returns (PackIndex, content_sha256). `source` says where they are from."""
    skipped = Skipped()
    with Spool(request.out, None, BATCH) as spool:
        texts = _collect(request, rows, spool, skipped, Position(), 0)
        skipped.note(len(texts.labels) + skipped.count)
        number = {name: label for label, name in enumerate(classes)}
        labels = np.array([number[name] for name in texts.names])[texts.labels]
        index = _index(request, classes, texts._replace(labels=labels), source)
        return index, write_samples(request.out, index, spool.samples(texts.begins, index))


def pack_by_hash(
    request: Request, rows: typing.Iterable[Row], skipped: Skipped, source: dict[str, object], key: str, position: Position, size: int
) -> tuple[PackIndex, str]:
    """Writes rows by class, side and hash of the text, and returns (PackIndex, content_sha256).

    Rows without a side are split by hash. `skipped` lists those that can't be used, `position` says how many of `size` bytes are
    read. With the same `key` an interrupted call continues.
    """
    with _spool(request, key) as spool:
        index, begins = _arranged(request, _collect(request, rows, spool, skipped, position, size), skipped, source)
        digest = write_samples(request.out, index, spool.samples(begins, index))
        spool.done()
    return index, digest


def pack_unlabelled(
    request: Request, rows: typing.Iterable[Row], unusable: Unusable, source: dict[str, object], key: str, position: Position, size: int
) -> tuple[PackIndex, str]:
    """As pack_by_hash(), of rows without labels: all are test samples in their order. Raises InputError where one can't be used."""
    with _spool(request, key) as spool:
        texts = _collect(request, rows, spool, unusable, position, size)
        unusable.note(len(texts.labels) + unusable.count)
        if not len(texts.labels):
            raise InputError(f"{files_of(source)}: expected rows with a text, found no rows. Get the file again, or name another file")
        index = _index(request, texts.names, texts, {**source, "texts": len(texts.labels)})
        digest = write_samples(request.out, index, spool.samples(texts.begins, index))
        spool.done()
    return index, digest


def _spool(request: Request, key: str) -> Spool:
    return Spool(request.out, sha256(f"{key}\0{tokenizers.__version__}\0{request.tokenizer.to_str()}"), BATCH)


def _arranged(request: Request, texts: Texts, skipped: Skipped, source: dict[str, object]) -> tuple[PackIndex, Ints]:
    """(index of the pack, where each of its texts begins in the file of tokens)."""
    skipped.note(len(texts.labels) + skipped.count)
    if not len(texts.labels):
        raise InputError(f"{files_of(source)}: expected rows with a text and a label, found {none_of(skipped.count, 'Are --text and --label')}")
    split = split_of(request, texts)
    texts = arrange(Rules(request.test_share, request.minimum_per_class), texts)
    what: dict[str, object] = {"texts": len(texts.labels), "rows_skipped": skipped.count, **split, "minimum_per_class": request.minimum_per_class}
    return _index(request, texts.names, texts, {**source, **what}), texts.begins


def split_of(request: Request, texts: Texts) -> dict[str, object]:
    """How a pack's source describes the sides of texts that aren't arranged yet."""
    by_hash = texts.split is None
    return {"split": "hash" if by_hash else "given", "seed": request.seed, **({"test_share": request.test_share} if by_hash else {})}


def files_of(source: dict[str, object]) -> str:
    """The names of the files that were read, as a message shows them."""
    names = [str(name) for name in typing.cast(list[object], source.get("files", []))] or ["the source"]
    return ", ".join(names[:MOST_FILES]) + (f" and {len(names) - MOST_FILES} more" if len(names) > MOST_FILES else "")


def none_of(skipped: int, are_columns: str) -> str:
    """Why no row can be used. `are_columns`: the beginning of a question, "Are --text and --label"."""
    if not skipped:
        return "no rows. Get the file again, or name another file"
    return f"none among {counted(skipped, 'row')}; the reasons are listed above. {are_columns} the right columns?"


def _collect(request: Request, rows: typing.Iterable[Row], spool: Spool, skipped: Skipped, position: Position, size: int) -> Texts:
    """Encodes the rows into the spool, except for those that an earlier call has encoded."""
    if spool.known:
        note(f"resuming after {counted(spool.known, 'text')} of an earlier call")
    number: dict[str, int] = {}
    labels, sides_given = array.array("i"), array.array("b")
    keys, groups = array.array("Q"), array.array("Q")
    places = Places()
    known = spool.records()["tokens"]  # of an earlier call
    done = 0
    with Progress("MB", max(1, size / MB)) as progress:
        for batch in _batches(rows):
            for row in batch:
                key = sides.key_of(row.text, request.seed)
                labels.append(number.setdefault(row.label, len(number)))
                sides_given.append(-1 if row.side is None else row.side)
                keys.append(key)
                places.append(row.head, row.number)
                if request.has_groups:
                    groups.append(key if row.group is None else sides.key_of(row.group, request.seed))
            lengths: Ints = known[done : done + len(batch)]
            if done >= len(known):
                encoded = encode(request.tokenizer, batch)
                spool.add(encoded)
                lengths = encoded.lengths
            for i in np.flatnonzero(lengths == 0):
                skipped.add(batch[i].place, "expected a text with tokens, found one for which the tokenizer gives only special tokens")
            done += len(batch)
            if size:
                progress.move(position.total() / MB)
    records = spool.records()
    ends = 4 * np.cumsum(records["tokens"], dtype="<i8")
    side = np.frombuffer(sides_given, "i1")
    split = None if len(side) and side[0] < 0 else side.astype("u1")
    group_keys = np.frombuffer(groups, "u8") if request.has_groups else None
    ends -= 4 * records["tokens"].astype("<i8")
    texts = Texts(list(number), np.frombuffer(labels, "i4"), split, np.frombuffer(keys, "u8"), group_keys, places, records, ends)
    return texts if records["tokens"].all() else texts.at(records["tokens"] > 0)


def _batches(rows: typing.Iterable[Row]) -> typing.Iterator[list[Row]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _index(request: Request, classes: list[str], texts: Texts, source: dict[str, object]) -> PackIndex:
    """The index of a pack of texts with sides, in their order."""
    tokenizer = request.tokenizer
    lengths = texts.records["tokens"].astype("<i8")
    source = {**source, **describe_cuts(texts.records, max_length(tokenizer), "text"), "tokenizer_sha256": sha256(tokenizer.to_str())}
    assert texts.split is not None
    return PackIndex(
        kind="tokens",
        classes=classes,
        offsets=offsets_of(4 * lengths),
        shape=lengths.reshape(-1, 1),
        crc32c=texts.records["crc32c"].astype("<u4"),
        labels=texts.labels.astype("<i4"),
        split=texts.split.astype("u1"),
        source=json.dumps(source),
        vocabulary=tokenizer.get_vocab_size(),
    )


def describe_cuts(records: Records, most: int, noun: str) -> dict[str, object]:
    """What a pack's source says of texts cut at `most` tokens; a note counts them."""
    cut, longest = int((records["whole"] > records["tokens"]).sum()), int(records["whole"].max())
    if cut:
        note(f"{cut} of {counted(len(records), noun)} {form(cut, 'is', 'are')} cut at {most} tokens; the longest has {longest}. --max-length sets the limit")
    return {"most_tokens": most, f"{noun}s_cut": cut, f"longest_{noun}": longest}
