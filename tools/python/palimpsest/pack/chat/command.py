"""The command line of `palimpsest pack chat`."""

import argparse
import collections
import re

from tokenizers import Tokenizer

from .. import InputError, UsageError
from ..arguments import path, share
from ..notes import note
from ..pack_file import PackIndex
from ..pack_hash import sha256
from ..texts import sources
from ..texts.command import DEFAULT_SEED, DEFAULT_SHARE, add_tokenizer_options, check_encoding
from ..texts.make import Request
from ..texts.record import Position
from ..texts.rows import Skipped
from ..texts.tokenizer import load_tokenizer
from .encode import Encoder
from .forms import Form
from .make import pack_chat
from .rows import Reading, choose_forms, read_rows
from .settings import end_of_text, folder_of, load_template, special_tokens

MOST_TOKENS = 1024
DESCRIPTION = """\
Packs prompts and the completions that a decoder is to learn, from JSON Lines, Parquet, Arrow, CSV
and data sets saved by Hugging Face's save_to_disk, compressed by gzip or not. SOURCE is a file, a
folder or a glob. Columns are recognised by their names: prompt and completion, as texts or as lists
of messages; instruction and output, with an optional input; messages or conversations. Options
choose other columns.

The chat template in the tokenizer's folder renders messages. The model is to predict the assistant's
answers, each with the token that ends the turn. Prompts and answers are encoded separately, as in
generation. With --template none, prompt and completion are joined as they are, and the end-of-text
token follows them. Plain text (--text, or files named .txt) is cut into chunks of --max-length
tokens; all tokens of a chunk except the first are predicted.

The classes of the pack are tasks. They come from the column --task, or from the file names without
the word for the side: algebra.train.jsonl and algebra/test.jsonl belong to the task algebra.

Sides come from the column --split, or from the names of the files or splits, as for texts. Otherwise
each task gives --test-share of its samples to the test, by the SHA-256 of the prompt, so that equal
prompts are on one side. For a column of plain text the text is hashed, for .txt files each chunk.
Training samples with the same tokens as a test sample are left out.

A row that can't be used is listed with its file and line and skipped, or rejected with --strict: a
row with no answer or a blank one, with a prompt of --max-length tokens or more, or without a list of
messages. Samples that are cut are counted. A call that was stopped starts again from the beginning;
its tokens in OUT.partial/ are deleted.

Examples:
  palimpsest pack chat algebra.jsonl french.jsonl --tokenizer data/smollm2 --out data/tuning.h5
  palimpsest pack chat pairs.csv --prompt question --completion answer --task topic \\
    --tokenizer data/smollm2 --out data/pairs.h5
  palimpsest pack chat laws.txt poems.txt --tokenizer data/smollm2 --out data/plain.h5"""


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sources", nargs="+", type=path, metavar="SOURCE", help="files, folders or globs")
    add_tokenizer_options(sub, MOST_TOKENS, "samples")
    sub.add_argument("--prompt", metavar="COLUMN", help="the column with the prompt, a text or a list of messages; needs --completion")
    sub.add_argument("--completion", metavar="COLUMN", help="the column with the completion to predict; needs --prompt")
    sub.add_argument("--messages", metavar="COLUMN", help="the column with conversations: lists of messages with role and content")
    sub.add_argument("--text", metavar="COLUMN", help="the column with plain text, which is cut into chunks of --max-length tokens")
    sub.add_argument(
        "--template",
        choices=("chat", "none"),
        default="chat",
        help="chat: the template in the tokenizer's folder (the default); none: prompt and completion as they are, then the end-of-text token",
    )
    sub.add_argument("--task", metavar="COLUMN", help="the column with the task, which is the class of a sample (by default, the file name gives the task)")
    sub.add_argument(
        "--split",
        metavar="COLUMN",
        help="the column with the side: train (or training), test, or validation (val, valid, dev); by default, file names or hashes decide",
    )
    sub.add_argument("--test-share", type=share, metavar="SHARE", help="split by hash, whatever the file names say; the share of each task for the test (0.2)")
    sub.add_argument("--seed", type=int, help="seed of the split and the order (1)")
    sub.add_argument("--encoding", metavar="NAME", help="encoding of CSV, JSON Lines and plain text, if the detected one is wrong (utf-8, cp1252, utf-16, ...)")
    sub.add_argument("--strict", action="store_true", help="stop with an error at a row that can't be used")


def make(options: argparse.Namespace) -> tuple[PackIndex, str]:
    """(PackIndex, content_sha256) of the pack that the options describe, written."""
    chosen = _chosen_form(options)
    check_encoding(options.encoding)
    tokenizer = load_tokenizer(options.tokenizer, options.max_length, MOST_TOKENS)
    files = sources.find_sources(options.sources, use_names=options.split is None and options.test_share is None, has_plain_text=True)
    if options.split is not None and any(file.kind == "text" for file in files):
        raise InputError("--split: expected sources with columns, found plain text files. Leave --split out: the file names or --test-share decide the sides")
    also = [name for name in (options.task, options.split) if name is not None]
    forms = choose_forms(files, chosen, also, options.encoding)
    reading, template = _reading(options, tokenizer, has_prompts=any(form.kind != "text" for form in forms))
    seed = DEFAULT_SEED if options.seed is None else options.seed
    test_share = DEFAULT_SHARE if options.test_share is None else options.test_share
    request = Request(options.out, tokenizer, test_share, 0, seed, has_groups=True)
    columns = list(dict.fromkeys(form.columns for form in forms))
    source: dict[str, object] = {"what": "chat", "files": [file.path.name for file in files], "columns": columns, **template}
    skipped, position = Skipped(options.strict), Position()
    rows = read_rows(files, forms, reading, position, skipped)
    made = pack_chat(request, Encoder(tokenizer), rows, skipped, source, position, sources.total_size(files))
    if reading.template is not None and reading.template.shows_date:
        note(f"{reading.template.place}: the template contains today's date, so the same source gives another pack on another day")
    return made


def _chosen_form(options: argparse.Namespace) -> Form | None:
    """The form that the options choose; None: as the columns of each file say."""
    if (options.prompt is None) != (options.completion is None):
        raise UsageError("--prompt, --completion: expected both or neither, found one. Give the column of the prompts and the column of the completions")
    pair = None if options.prompt is None else (options.prompt, options.completion)
    found = [
        (name, Form(kind, columns))
        for name, kind, columns in (
            ("--prompt", "pair", pair),
            ("--messages", "messages", options.messages and (options.messages,)),
            ("--text", "text", options.text and (options.text,)),
        )
        if columns
    ]
    if len(found) > 1:
        raise UsageError(f"{found[1][0]} cannot be combined with {found[0][0]}, which chooses other columns. Leave one of them out")
    if options.split is not None and options.test_share is not None:
        raise UsageError("--test-share cannot be combined with --split, whose column gives the sides. Leave one of them out")
    form = found[0][1] if found else None
    used = [*(form.columns if form else ()), *(name for name in (options.task, options.split) if name is not None)]
    twice = [name for name, times in collections.Counter(used).items() if times > 1]
    if twice:
        raise UsageError(f"expected a different column for each option, found {twice[0]!r} twice. Name another column")
    if form is not None and form.kind == "messages" and options.template == "none":
        raise UsageError("--messages cannot be combined with --template none: conversations need a chat template. Leave one of them out")
    return form


def _reading(options: argparse.Namespace, tokenizer: Tokenizer, has_prompts: bool) -> tuple[Reading, dict[str, object]]:
    """How rows are read, and what the pack says of the template."""
    folder = folder_of(options.tokenizer)
    how = Reading(None, re.compile("(?!)"), "", options.task, options.split, options.encoding)
    if not has_prompts:
        return how, {"template": "none"}
    if options.template == "none":
        return how._replace(end=end_of_text(folder, tokenizer)), {"template": "none"}
    template = load_template(folder)
    return how._replace(template=template, specials=special_tokens(tokenizer)), {"template": "chat", "template_sha256": sha256(template.text)}
