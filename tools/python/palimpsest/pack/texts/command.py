"""The command line of `palimpsest-pack texts`, and the options that all sources of texts have."""

import argparse
import collections
import typing

from .. import InputError, UsageError
from ..arguments import count, natural, path, share
from ..notes import counted, note
from ..pack_file import PackIndex
from . import sources
from .make import Request, pack_by_hash
from .record import Position
from .rows import Broken, Columns, Row, Skipped, make_row
from .tokenizer import load_tokenizer

DESCRIPTION = """\
Packs texts with labels from files: CSV and TSV (separator, quotes and encoding are found out), JSON
Lines, Parquet, Arrow, and data sets that Hugging Face's save_to_disk wrote; .gz or not. SOURCE is a
file, a folder or a glob. Columns are chosen by name; two text columns are encoded as a pair.

Sides: the column --split says train, test, val or validation, where val counts as test; or the names
of the files or splits do (train.csv and test.csv). Else each class gives --test-share of its texts
to the test, by the SHA-256 of the text; equal texts are on one side, and with --group all rows of
one author, document or product. A training text that is a test text, too, is left out of training.

A row that can't be used (no text, no label, bytes that are no text, too many fields) is listed with
its file and line and skipped, or refused with --strict. Texts that are cut are counted. Texts are
read one after another, so that little memory is needed. A call that was stopped (exit code 85)
continues where it was: until the pack is written, its tokens are kept in OUT.partial/, so that twice
the pack's size is needed on disk. One source with one tokenizer gives one pack; quote the content hash.

Examples:
  palimpsest-pack texts reviews.csv --text review --label stars --tokenizer data/minilm --out data/reviews.h5
  palimpsest-pack texts train.jsonl test.jsonl --text premise,hypothesis --tokenizer data/minilm --out data/nli.h5"""


DEFAULT_SHARE = 0.2


class _Renamed(argparse.Action):
    """An option that has another name now."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> typing.NoReturn:
        parser.error(f"{self.option_strings[0]} is called {self.metavar} now")


def add_tokenizer_options(sub: argparse.ArgumentParser) -> None:
    """Those that every source of texts has."""
    sub.add_argument("--tokenizer", required=True, type=path, metavar="PATH", help="a tokenizer.json, or a folder with one (required)")
    sub.add_argument("--out", required=True, type=path, metavar="PACK", help="the pack to write (required)")
    sub.add_argument(
        "--max-length",
        type=count,
        metavar="TOKENS",
        help="longer texts are cut to so many tokens, special ones included (128, or what the model's config.json beside "
        "the tokenizer takes, where that is less)",
    )
    old = sub.add_argument("--max-tokens", action=_Renamed, metavar="--max-length", help=argparse.SUPPRESS)
    old.help = argparse.SUPPRESS


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sources", nargs="+", type=path, metavar="SOURCE", help="files, folders or globs")
    add_tokenizer_options(sub)
    sub.add_argument("--text", action="append", metavar="COLUMN", help="the text; two, as --text first,second or given twice, are a pair (text)")
    sub.add_argument("--label", default="label", metavar="COLUMN", help="the class, a name or a number (label)")
    sub.add_argument("--split", metavar="COLUMN", help="train, test, val or validation; without it file names or hashes decide")
    sub.add_argument("--domain", metavar="COLUMN", help="classes are named DOMAIN/LABEL, for protocol --domains")
    sub.add_argument("--group", metavar="COLUMN", help="rows with the same value are on one side of a split by hash")
    sub.add_argument(
        "--test-share", type=share, metavar="SHARE", help="split by hash, whatever the files are called, with so much of each class for the test (0.2)"
    )
    sub.add_argument("--minimum-per-class", type=natural, default=0, metavar="N", help="leave classes with fewer texts out (0)")
    sub.add_argument("--seed", type=int, default=1, help="of the split and the order (1)")
    sub.add_argument("--encoding", metavar="NAME", help="of CSV, TSV and JSON Lines, where what is found out is wrong (utf-8, cp1252, utf-16, ...)")
    sub.add_argument("--strict", action="store_true", help="a row that can't be used is an error")


def make(options: argparse.Namespace) -> tuple[PackIndex, str]:
    """(PackIndex, content_sha256) of the pack that the options describe, written."""
    columns = _columns(options)
    _check_encoding(options.encoding)
    tokenizer = load_tokenizer(options.tokenizer, options.max_length)
    files = sources.find_sources(options.sources, use_names=columns.split is None and options.test_share is None)
    if columns.group is not None and files[0].side is not None:
        raise InputError(f"--group: expected a split by hash, found sides in the names of the sources. --test-share {DEFAULT_SHARE} splits by hash")
    test_share = DEFAULT_SHARE if options.test_share is None else options.test_share
    request = Request(options.out, tokenizer, test_share, options.minimum_per_class, options.seed, columns.group is not None)
    source: dict[str, object] = {"what": "texts", "files": [file.path.name for file in files], "columns": _used(columns)}
    status = [(str(file.path.resolve()), file.side, file.path.stat().st_size, file.path.stat().st_mtime_ns) for file in files]
    key, position, skipped = repr((status, columns, options.encoding)), Position(), Skipped(options.strict)
    rows = _rows(files, columns, options.encoding, position, skipped)
    return pack_by_hash(request, rows, skipped, source, key, position, sources.total_size(files))


def _check_encoding(name: str | None) -> None:
    try:
        "x".encode(name or "utf-8")
    except (LookupError, ValueError):
        raise UsageError(f"--encoding: expected a name that Python knows, such as utf-8, cp1252 or utf-16, found {name!r}") from None


def _columns(options: argparse.Namespace) -> Columns:
    texts = tuple(name.strip() for given in options.text or ["text"] for name in given.split(","))
    if len(texts) > 2 or len(set(texts)) < len(texts) or "" in texts:
        raise UsageError(f"--text: expected one column or two different ones, found {', '.join(texts)}")
    columns = Columns(texts, options.label, options.split, options.domain, options.group)
    if options.split is not None and options.test_share is not None:
        raise UsageError("--test-share: expected without --split, whose column says the sides. Leave one of them out")
    if options.split is not None and options.group is not None:
        raise UsageError("--group: expected without --split, whose column says the sides. Leave one of them out")
    twice = [name for name, times in collections.Counter(columns.names()).items() if times > 1 and name != options.group]
    if twice:
        raise UsageError(f"expected every column for one purpose, found {twice[0]!r} for two. Name another column")
    return columns


def _used(columns: Columns) -> dict[str, object]:
    return {name: value for name, value in columns._asdict().items() if value is not None}


def _rows(files: list[sources.Source], columns: Columns, encoding: str | None, position: Position, skipped: Skipped) -> typing.Iterator[Row]:
    """The rows of all files that can be used."""
    words: collections.Counter[str] = collections.Counter()
    before = 0
    for file in files:
        position.before = before
        head = file.rows_are_called()
        for number, values in sources.read(file, columns.names(), position, encoding):
            try:
                if isinstance(values, str):
                    raise Broken(values)
                yield make_row(f"{head} {number}", values, columns, file.side, words)
            except Broken as reason:
                skipped.add(f"{head} {number}", str(reason))
        before += file.path.stat().st_size
    tests = [f"{counted(number, 'text')} of {word}" for word, number in words.items() if word not in ("train", "training")]
    if len(tests) > 1:
        note(f"{' and '.join(tests)} are the test side together; leave one kind out to test on the other")
