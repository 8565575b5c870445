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
and data sets that Hugging Face's save_to_disk wrote; .gz or not. SOURCE is a file, a folder or a
glob. Columns are found by their names: prompt and completion, as texts or as lists of messages;
instruction and output, with input or not; messages, or conversations. Options choose others.

The chat template of the tokenizer's folder renders messages. Predicted are the answers of the
assistant, each with the token behind it that ends the turn. Prompts and answers are encoded by
themselves, as generation meets them. With --template none prompt and completion are joined as they
are, with the end-of-text token behind them. Plain text (--text, or files named .txt) is cut into
chunks of --max-length tokens, of which all but the first are predicted.

The classes of the pack are tasks: the column --task, or the names of the files without what says a
side: algebra.train.jsonl and algebra/test.jsonl are of the task algebra.

Sides: the column --split, or the names of the files or splits, as for texts. Else each task gives
--test-share of its samples to the test, by the SHA-256 of the prompt, so that equal prompts are on
one side; of a column of plain text, of the text, and of .txt files, of each chunk. Training samples
with the tokens of a test sample are left out.

A row that can't be used (no answer, a blank one, a prompt of --max-length tokens or more, no list
of messages) is listed with its file and line and skipped, or refused with --strict. Samples that
are cut are counted. A call that was stopped begins again; its tokens, in OUT.partial/, don't stay.

Examples:
  palimpsest pack chat algebra.jsonl french.jsonl --tokenizer data/smollm2 --out data/tuning.h5
  palimpsest pack chat pairs.csv --prompt question --completion answer --task topic \\
    --tokenizer data/smollm2 --out data/pairs.h5
  palimpsest pack chat laws.txt poems.txt --tokenizer data/smollm2 --out data/plain.h5"""


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sources", nargs="+", type=path, metavar="SOURCE", help="files, folders or globs")
    add_tokenizer_options(sub, MOST_TOKENS, "samples")
    sub.add_argument("--prompt", metavar="COLUMN", help="the prompt, a text or a list of messages; with --completion")
    sub.add_argument("--completion", metavar="COLUMN", help="what is predicted, with --prompt")
    sub.add_argument("--messages", metavar="COLUMN", help="conversations: lists of messages with role and content")
    sub.add_argument("--text", metavar="COLUMN", help="plain text, cut into chunks of --max-length tokens")
    sub.add_argument(
        "--template",
        choices=("chat", "none"),
        default="chat",
        help="chat: that of the tokenizer's folder (the default); none: prompt and completion as they are, and the end-of-text token",
    )
    sub.add_argument("--task", metavar="COLUMN", help="the class of a sample; without it the name of its file says it")
    sub.add_argument("--split", metavar="COLUMN", help="train, test or validation, also training, val, valid and dev; without it file names or hashes decide")
    sub.add_argument(
        "--test-share", type=share, metavar="SHARE", help="split by hash, whatever the files are called, with so much of each task for the test (0.2)"
    )
    sub.add_argument("--seed", type=int, help="of the split and the order (1)")
    sub.add_argument("--encoding", metavar="NAME", help="of CSV, JSON Lines and plain text, where what is found out is wrong (utf-8, cp1252, utf-16, ...)")
    sub.add_argument("--strict", action="store_true", help="a row that can't be used is an error")


def make(options: argparse.Namespace) -> tuple[PackIndex, str]:
    """(PackIndex, content_sha256) of the pack that the options describe, written."""
    chosen = _chosen_form(options)
    check_encoding(options.encoding)
    tokenizer = load_tokenizer(options.tokenizer, options.max_length, MOST_TOKENS)
    files = sources.find_sources(options.sources, use_names=options.split is None and options.test_share is None, has_plain_text=True)
    if options.split is not None and any(file.kind == "text" for file in files):
        raise InputError("--split: expected sources with columns, found files of plain text. Their names, or --test-share, say the sides")
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
        note(f"{reading.template.place}: the template writes the date of today, so that this source gives another pack on another day")
    return made


def _chosen_form(options: argparse.Namespace) -> Form | None:
    """The form that the options choose; None: as the columns of each file say."""
    if (options.prompt is None) != (options.completion is None):
        raise UsageError("--prompt, --completion: expected both or none: the columns of what is given and of what is predicted")
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
        raise UsageError(f"{found[1][0]}: expected without {found[0][0]}, which chooses other columns. Leave one of them out")
    if options.split is not None and options.test_share is not None:
        raise UsageError("--test-share: expected without --split, whose column says the sides. Leave one of them out")
    form = found[0][1] if found else None
    used = [*(form.columns if form else ()), *(name for name in (options.task, options.split) if name is not None)]
    twice = [name for name, times in collections.Counter(used).items() if times > 1]
    if twice:
        raise UsageError(f"expected every column for one purpose, found {twice[0]!r} for two. Name another column")
    if form is not None and form.kind == "messages" and options.template == "none":
        raise UsageError("--messages: expected a chat template for conversations, found --template none. Leave one of them out")
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
