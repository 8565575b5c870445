"""The command line of `palimpsest pack texts`, and the options that all sources of texts have."""

import argparse
import collections
import typing

from .. import InputError, UsageError
from ..arguments import count, natural, output_file, path, share
from ..pack_file import TEST, PackIndex
from . import sources
from .make import Request, pack_by_hash, pack_unlabelled
from .record import Position, Record
from .rows import Broken, Columns, Row, Skipped, Unusable, make_row, note_kinds_of_tests
from .tokenizer import MOST_TOKENS, load_tokenizer

DESCRIPTION = """\
Packs texts with labels from CSV and TSV (separator, quotes and encoding are detected), JSON Lines,
Parquet, Arrow, and data sets saved by Hugging Face's save_to_disk, compressed by gzip or not. SOURCE is
a file, a folder or a glob. Columns are chosen by name; two text columns are encoded as a pair.

Sides come from the column --split, which contains train (or training), test, or validation (val, valid,
dev); validation rows are test samples, too. Without it they come from the names of the files or splits
(train.csv and test.csv). Otherwise each class gives --test-share of its texts to the test, by the SHA-256
of the text. Equal texts are on one side, and with --group so are all rows of one author, document or
product. Copies of test texts are left out of training.

With --unlabelled, for palimpsest predict, texts have no labels. All rows become test samples in their
order, repeated ones included, so that sample n, counted from 0, is row n. Blank lines aren't rows.

A row that can't be used (no text, no label, bytes that are not text, too many fields) is listed with
its file and line and skipped, or rejected with --strict. Texts that are cut are counted. Texts are
read one after another, which needs little memory. A call that was stopped (exit code 85) resumes when
it is repeated. Until the pack is written, its tokens are in OUT.partial/, so the disk needs room for
twice the pack's size. One source with one tokenizer gives one pack; quote the content hash.

Examples:
  palimpsest pack texts reviews.csv --text review --label stars --tokenizer data/minilm --out data/reviews.h5
  palimpsest pack texts train.jsonl test.jsonl --text premise,hypothesis --tokenizer data/minilm --out data/nli.h5
  palimpsest pack texts new.csv --unlabelled --text review --tokenizer data/minilm --out data/new.h5"""


DEFAULT_SHARE, DEFAULT_SEED = 0.2, 1


class _Renamed(argparse.Action):
    """An option that has another name now."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> typing.NoReturn:
        parser.error(f"{self.option_strings[0]} was renamed. Use {self.metavar}")


def add_tokenizer_options(sub: argparse.ArgumentParser, most: int = MOST_TOKENS, what: str = "texts") -> None:
    """Those that every source of texts has. `most`: the tokens at which `what` are cut without --max-length, or at the model's positions."""
    sub.add_argument("--tokenizer", required=True, type=path, metavar="PATH", help="a tokenizer.json, or a folder with one (required)")
    sub.add_argument("--out", required=True, type=output_file, metavar="PACK", help="the pack to write (required)")
    sub.add_argument(
        "--max-length",
        type=count,
        metavar="TOKENS",
        help=f"maximum length in tokens, including special ones; longer {what} are cut ({most}, or less if the config.json beside "
        "the tokenizer has fewer positions)",
    )
    old = sub.add_argument("--max-tokens", action=_Renamed, metavar="--max-length", help=argparse.SUPPRESS)
    old.help = argparse.SUPPRESS


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sources", nargs="+", type=path, metavar="SOURCE", help="files, folders or globs")
    add_tokenizer_options(sub)
    sub.add_argument(
        "--text", action="append", metavar="COLUMN", help="the column with the text; two columns make a pair: --text first,second, or --text twice (text)"
    )
    sub.add_argument("--label", metavar="COLUMN", help="the column with the class, a name or a number (label)")
    sub.add_argument(
        "--unlabelled",
        action="store_true",
        help="new texts for palimpsest predict: no labels are read, and sample n, counted from 0, is row n of the sources; a row "
        "that can't be used is an error",
    )
    sub.add_argument(
        "--split",
        metavar="COLUMN",
        help="the column with the side: train (or training), test, or validation (val, valid, dev); by default, file names or hashes decide",
    )
    sub.add_argument("--domain", metavar="COLUMN", help="the column with the domain; classes are named DOMAIN/LABEL, for protocol --domains")
    sub.add_argument("--group", metavar="COLUMN", help="a column whose equal values keep rows on one side of a split by hash")
    sub.add_argument("--test-share", type=share, metavar="SHARE", help="split by hash, whatever the file names say; the share of each class for the test (0.2)")
    sub.add_argument("--minimum-per-class", type=natural, metavar="N", help="leave out classes with fewer texts (0)")
    sub.add_argument("--seed", type=int, help="seed of the split and the order (1)")
    sub.add_argument("--encoding", metavar="NAME", help="encoding of CSV, TSV and JSON Lines, if the detected one is wrong (utf-8, cp1252, utf-16, ...)")
    sub.add_argument("--strict", action="store_true", help="stop with an error at a row that can't be used")


def make(options: argparse.Namespace) -> tuple[PackIndex, str]:
    """(PackIndex, content_sha256) of the pack that the options describe, written."""
    columns = _columns(options)
    check_encoding(options.encoding)
    tokenizer = load_tokenizer(options.tokenizer, options.max_length)
    files = sources.find_sources(options.sources, use_names=columns.split is None and options.test_share is None and not options.unlabelled)
    if columns.group is not None and files[0].side is not None:
        raise InputError(f"--group: expected a split by hash, found sides in the names of the sources. Add --test-share {DEFAULT_SHARE} to split by hash")
    test_share = DEFAULT_SHARE if options.test_share is None else options.test_share
    seed = DEFAULT_SEED if options.seed is None else options.seed
    request = Request(options.out, tokenizer, test_share, options.minimum_per_class or 0, seed, columns.group is not None)
    source: dict[str, object] = {"what": "texts", "files": [file.path.name for file in files], "columns": _used(columns)}
    status = [(str(file.path.resolve()), file.side, file.path.stat().st_size, file.path.stat().st_mtime_ns) for file in files]
    key, position = repr((status, columns, options.encoding)), Position()
    if options.unlabelled:
        files = [file._replace(side=TEST) for file in files]
        unusable = Unusable()
        rows = _rows(files, columns, options.encoding, position, unusable)
        return pack_unlabelled(request, rows, unusable, source, key, position, sources.total_size(files))
    skipped = Skipped(options.strict)
    rows = _rows(files, columns, options.encoding, position, skipped)
    return pack_by_hash(request, rows, skipped, source, key, position, sources.total_size(files))


def check_encoding(name: str | None) -> None:
    """Raises UsageError for a name of --encoding that Python doesn't know."""
    try:
        "x".encode(name or "utf-8")
    except (LookupError, ValueError):
        raise UsageError(f"--encoding: expected a name that Python knows, such as utf-8, cp1252 or utf-16, found {name!r}") from None


def _columns(options: argparse.Namespace) -> Columns:
    texts = tuple(name.strip() for given in options.text or ["text"] for name in given.split(","))
    if len(texts) > 2 or len(set(texts)) < len(texts) or "" in texts:
        raise UsageError(f"--text: expected one column, or two different columns, found {', '.join(texts)}")
    if options.unlabelled:
        _expect_no_labels(options)
        return Columns(texts, None)
    columns = Columns(texts, "label" if options.label is None else options.label, options.split, options.domain, options.group)
    if options.split is not None and options.test_share is not None:
        raise UsageError("--test-share cannot be combined with --split, whose column gives the sides. Leave one of them out")
    if options.split is not None and options.group is not None:
        raise UsageError("--group cannot be combined with --split, whose column gives the sides. Leave one of them out")
    twice = [name for name, times in collections.Counter(columns.names()).items() if times > 1 and name != options.group]
    if twice:
        raise UsageError(f"expected a different column for each option, found {twice[0]!r} twice. Name another column")
    return columns


def _expect_no_labels(options: argparse.Namespace) -> None:
    for name in ("label", "split", "domain", "group", "test_share", "minimum_per_class", "seed"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} cannot be combined with --unlabelled, which reads neither labels nor sides. Leave one of them out")


def _used(columns: Columns) -> dict[str, object]:
    return {name: value for name, value in columns._asdict().items() if value is not None}


def _rows(files: list[sources.Source], columns: Columns, encoding: str | None, position: Position, skipped: Skipped) -> typing.Iterator[Row]:
    """The rows of all files that can be used."""
    words: collections.Counter[str] = collections.Counter()

    def read(file: sources.Source) -> typing.Iterator[Record]:
        return sources.read(file, columns.names(), position, encoding)

    for file, number, values in sources.read_all(files, read, position, skipped):
        try:
            yield make_row(file.rows_are_called(), number, values, columns, file.side, words)
        except Broken as reason:
            skipped.add(f"{file.rows_are_called()} {number}", str(reason))
    note_kinds_of_tests(words, "text")
