"""Rows of any source made into a pack."""

import array
import json
import typing

import numpy as np
import tokenizers
from tokenizers import Tokenizer

from ...counted import counted, form
from .. import InputError
from ..arrays import Bools, Ints
from ..images.labels import MISSING, check_decimals
from ..names import note_odd_names, with_bytes
from ..notes import note
from ..pack_file import TEST, TRAIN, PackIndex, offsets_of, write_samples
from ..pack_hash import sha256
from ..progress import Progress
from . import sides
from .places import Places
from .record import Position
from .rows import Row, Skipped, Unusable
from .spool import Records, Spool
from .tokenizer import encode, max_length

BATCH = 1024  # texts encoded at once
MOST_NAMED = 40  # classes in a note
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


class _Texts(typing.NamedTuple):
    """The texts that have tokens: arrays are [texts]. Some 33 bytes a text, of which sorting needs a copy."""

    names: list[str]  # by label
    labels: Ints
    split: Ints | None  # None: by hash
    keys: Ints  # of the text
    groups: Ints | None  # of what is on one side; None: keys
    places: Places | None  # of the rows, as long as messages need them
    records: Records
    begins: Ints  # where its bytes begin in the file of tokens

    def at(self, chosen: Ints | Bools) -> "_Texts":
        split = None if self.split is None else self.split[chosen]
        groups = None if self.groups is None else self.groups[chosen]
        places = None if self.places is None else self.places.at(chosen)
        return _Texts(self.names, self.labels[chosen], split, self.keys[chosen], groups, places, self.records[chosen], self.begins[chosen])


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
            raise InputError(f"{_files(source)}: expected rows with a text, found no rows. Get the file again, or name another")
        index = _index(request, texts.names, texts, {**source, "texts": len(texts.labels)})
        digest = write_samples(request.out, index, spool.samples(texts.begins, index))
        spool.done()
    return index, digest


def _spool(request: Request, key: str) -> Spool:
    return Spool(request.out, sha256(f"{key}\0{tokenizers.__version__}\0{request.tokenizer.to_str()}"), BATCH)


def _arranged(request: Request, texts: _Texts, skipped: Skipped, source: dict[str, object]) -> tuple[PackIndex, Ints]:
    """(index of the pack, where each of its texts begins in the file of tokens)."""
    skipped.note(len(texts.labels) + skipped.count)
    if not len(texts.labels):
        raise InputError(f"{_files(source)}: expected rows with a text and a label, found {_none_of(skipped.count)}")
    by_hash = texts.split is None
    texts = _chosen(request, _numbered(texts))
    assert texts.split is not None
    texts = texts.at(np.lexsort((texts.keys, texts.split, texts.labels)))
    what: dict[str, object] = {"texts": len(texts.labels), "rows_skipped": skipped.count, "split": "hash" if by_hash else "given", "seed": request.seed}
    what |= {"test_share": request.test_share} if by_hash else {}
    what |= {"minimum_per_class": request.minimum_per_class}
    return _index(request, texts.names, texts, {**source, **what}), texts.begins


def _files(source: dict[str, object]) -> str:
    """The names of the files that were read, as a message shows them."""
    names = [str(name) for name in typing.cast(list[object], source.get("files", []))] or ["the source"]
    return ", ".join(names[:MOST_FILES]) + (f" and {len(names) - MOST_FILES} more" if len(names) > MOST_FILES else "")


def _none_of(skipped: int) -> str:
    if not skipped:
        return "no rows. Get the file again, or name another"
    return f"none among {counted(skipped, 'row')}; why is listed above. Are --text and --label the right columns?"


def _collect(request: Request, rows: typing.Iterable[Row], spool: Spool, skipped: Skipped, position: Position, size: int) -> _Texts:
    """Encodes the rows into the spool, except for those that an earlier call has encoded."""
    if spool.known:
        note(f"the tokens of {counted(spool.known, 'text')} are there from an earlier call; it continues behind them")
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
                places.append(row)
                if request.has_groups:
                    groups.append(key if row.group is None else sides.key_of(row.group, request.seed))
            lengths: Ints = known[done : done + len(batch)]
            if done >= len(known):
                encoded = encode(request.tokenizer, batch)
                spool.add(encoded)
                lengths = encoded.lengths
            for i in np.flatnonzero(lengths == 0):
                skipped.add(batch[i].place, "expected a text with tokens, found one of which the tokenizer leaves none but special ones")
            done += len(batch)
            if size:
                progress.move(position.total() / MB)
    records = spool.records()
    ends = 4 * np.cumsum(records["tokens"], dtype="<i8")
    side = np.frombuffer(sides_given, "i1")
    split = None if len(side) and side[0] < 0 else side.astype("u1")
    group_keys = np.frombuffer(groups, "u8") if request.has_groups else None
    ends -= 4 * records["tokens"].astype("<i8")
    texts = _Texts(list(number), np.frombuffer(labels, "i4"), split, np.frombuffer(keys, "u8"), group_keys, places, records, ends)
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


def _numbered(texts: _Texts) -> _Texts:
    """With the classes in their order: numbers by size, else by name."""
    check_decimals(set(texts.names))
    numeric = all(name.isdecimal() for name in texts.names)
    order = sorted(range(len(texts.names)), key=lambda i: (int(texts.names[i]) if numeric else 0, texts.names[i]))
    number = np.empty(len(order), dtype="i4")
    number[order] = np.arange(len(order), dtype="i4")
    names = [texts.names[i] for i in order]
    counts = np.bincount(number[texts.labels], minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        if name.casefold() in MISSING or (not numeric and name == "-1"):
            note(f"the label {name!r} of {counted(count, 'text')} reads like a missing one; it is a class of that name")
    return texts._replace(names=names, labels=number[texts.labels])


def _chosen(request: Request, texts: _Texts) -> _Texts:
    """Texts with sides and classes, without what the minimum per class and texts on both sides leave out."""
    repeated, contrary = sides.find_repeated(texts.keys, texts.labels)
    if len(repeated):
        assert texts.places is not None
        others = f"; {len(contrary)} of them with another label ({texts.places.named(contrary)})" if len(contrary) else ""
        again = f"{counted(len(repeated), 'text')} {form(len(repeated), 'occurs', 'occur')} again ({texts.places.named(repeated)})"
        note(f"{again}{others}; each is a separate sample")
    split = texts.split
    if split is None:
        split = sides.split_by_hash(texts.labels, texts.keys if texts.groups is None else texts.groups, request.test_share)
    both = sides.trained_and_tested(split, texts.keys)
    texts = texts._replace(split=split, groups=None, places=None)
    if both.any():
        same = form(both.sum(), "is a test text", "are test texts")
        note(f"{counted(both.sum(), 'training text')} left out, which {same}, too")
        texts = texts.at(~both)
    counts = _counts(texts)
    small = counts.sum(axis=1) < max(1, request.minimum_per_class)
    if small.any():
        least = counted(max(1, request.minimum_per_class), "text")
        note(f"{counted(small.sum(), 'class')} left out, with fewer than {least}: {_named(texts.names, small, counts)}")
        position = np.cumsum(~small) - 1
        texts = texts.at(~small[texts.labels])
        texts = texts._replace(names=[texts.names[i] for i in np.flatnonzero(~small)], labels=position[texts.labels].astype("i4"))
    _check_classes(texts, counts[~small])
    return texts


def _counts(texts: _Texts) -> Ints:
    """[classes, 2]: texts by class and side."""
    counts = np.zeros((len(texts.names), 2), dtype="i8")
    assert texts.split is not None
    np.add.at(counts, (texts.labels, texts.split), 1)
    return counts


def _check_classes(texts: _Texts, counts: Ints) -> None:
    if len(texts.names) < 2:
        raise InputError(
            f"expected at least 2 classes, found {len(texts.names)}: {', '.join(map(with_bytes, texts.names)) or 'none'}. Is --label the "
            "right column, and --minimum-per-class low enough?"
        )
    one_sided = (counts == 0).any(axis=1)
    if one_sided.all():
        raise InputError(
            f"expected classes with training and test texts, found none among {len(texts.names)} classes with {counted(counts.sum(), 'text')}: "
            f"{_named(texts.names, one_sided, counts)}. Is --label the right column? A class needs two different texts, and a --split both sides"
        )
    if one_sided.any():
        note(
            f"{counted(one_sided.sum(), 'class')} {form(one_sided.sum(), 'has', 'have')} texts on one side only, training and test texts in brackets; "
            f"a protocol leaves {form(one_sided.sum(), 'it', 'them')} out: "
            f"{_named(texts.names, one_sided, counts)}"
        )
    note_odd_names(texts.names)


def _named(names: list[str], chosen: Bools, counts: Ints) -> str:
    places = np.flatnonzero(chosen)
    listed = ", ".join(f"{names[i]} ({counts[i, TRAIN]} and {counts[i, TEST]})" for i in places[:MOST_NAMED])
    return listed + (f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else "")


def _index(request: Request, classes: list[str], texts: _Texts, source: dict[str, object]) -> PackIndex:
    """The index of a pack of texts with sides, in their order."""
    tokenizer = request.tokenizer
    most = max_length(tokenizer)
    lengths, whole = texts.records["tokens"].astype("<i8"), texts.records["whole"]
    cut, longest = int((whole > lengths).sum()), int(whole.max())
    if cut:
        note(f"{cut} of {counted(len(lengths), 'text')} {form(cut, 'is', 'are')} cut at {most} tokens; the longest has {longest}. --max-length sets it")
    source = {**source, "most_tokens": most, "texts_cut": cut, "longest_text": longest, "tokenizer_sha256": sha256(tokenizer.to_str())}
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
