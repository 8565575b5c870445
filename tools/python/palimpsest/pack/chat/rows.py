"""The rows of sources of prompts and completions, or of plain text, as pieces to encode."""

import collections
import pathlib
import re
import typing

from ..images.listing import shown
from ..notes import note
from ..texts import sources
from ..texts.columns import find_columns
from ..texts.record import Position, Record
from ..texts.rows import Broken, Skipped, label_of, note_kinds_of_tests, side_of
from ..texts.text_file import lines_of, open_text, wrong_bytes
from .encode import Row
from .forms import PLAIN_TEXT, Conversation, Form, find_form, read_pair, text_of
from .tasks import task_of
from .turns import Piece, join_pair, render_conversation

if typing.TYPE_CHECKING:  # which needs jinja2
    from .template import Template

PIECE = 1 << 20  # characters of a file of plain text that are encoded at once, or a few more to the end of a line


class Reading(typing.NamedTuple):
    """How rows become pieces."""

    template: "Template | None"  # None: prompt and completion are joined as they are
    specials: re.Pattern[str]  # finds a special token
    end: str  # the token behind a completion without a template
    task: str | None  # column; None: the name of the file
    split: str | None  # column
    encoding: str | None


def choose_forms(files: typing.Sequence[sources.Source], chosen: Form | None, also: list[str], encoding: str | None) -> list[Form]:
    """The form of each file: as chosen, or as its columns say. Raises InputError where a file lacks its columns or those of `also`."""
    return [_form_of(file, chosen, also, encoding) for file in files]


def _form_of(file: sources.Source, chosen: Form | None, also: list[str], encoding: str | None) -> Form:
    if file.kind == "text":
        return PLAIN_TEXT
    found = sources.columns_of(file, encoding)
    place = shown(file.path)
    form = chosen or find_form(place, found)
    columns = form.names(found)
    find_columns(place, found, [*columns, *also])
    return form._replace(columns=tuple(columns))


def read_rows(
    files: typing.Sequence[sources.Source], forms: typing.Sequence[Form], reading: Reading, position: Position, skipped: Skipped
) -> typing.Iterator[Row]:
    """The rows of all files that can be used; the others are in `skipped`."""
    words: collections.Counter[str] = collections.Counter()
    form_of = dict(zip((file.path for file in files), forms, strict=True))
    more = [column for column in (reading.task, reading.split) if column is not None]
    without_task = reading.task is not None and any(file.kind == "text" for file in files)
    if without_task:
        note("plain text files have no columns: their names give the task and the side")

    def read(file: sources.Source) -> typing.Iterator[Record]:
        if file.kind == "text":
            return _read_text(file.path, reading.encoding, position)
        form = form_of[file.path]
        return sources.read(file, [*form.columns, *more], position, reading.encoding, form.optional)

    for file, number, values in sources.read_all(files, read, position, skipped):
        form = form_of[file.path]
        found = dict(zip([*form.columns, *more], values, strict=file.kind != "text"))
        try:
            yield _row(file, number, form, found, reading, words)
        except Broken as reason:
            skipped.add(f"{file.rows_are_called()} {number}", str(reason))
    note_kinds_of_tests(words, "row")


def _row(file: sources.Source, number: int, form: Form, found: dict[str, object], reading: Reading, words: collections.Counter[str]) -> Row:
    is_file = file.kind == "text"
    task = label_of(found[reading.task], reading.task) if reading.task is not None and not is_file else task_of(file.path)
    side = side_of(found[reading.split], reading.split, words) if reading.split is not None and not is_file else file.side
    head = file.rows_are_called()
    if form.kind == "text":
        text = text_of(found[form.columns[0]], form.columns[0])
        return Row(head, number, task, side, None if is_file else text, [Piece(text, True)], has_beginning=True, in_chunks=True)
    pair = read_pair(form, found)
    if reading.template is None:
        if isinstance(pair, Conversation):
            raise Broken("expected a prompt and a completion that are texts with --template none, found messages")
        return Row(head, number, task, side, pair.prompt, join_pair(pair, reading.end), has_beginning=True)
    conversation = pair if isinstance(pair, Conversation) else pair.conversation()
    prompt = conversation.prompt()
    return Row(head, number, task, side, prompt, render_conversation(reading.template, reading.specials, conversation, f"{head} {number}"))


def _read_text(path: pathlib.Path, encoding: str | None, position: Position) -> typing.Iterator[Record]:
    """(line, its text) of pieces of a file, each of whole lines."""
    file = open_text(path, encoding)
    with file.lines:
        waiting: list[str] = []
        size, first, number = 0, 1, 0
        for number, line in enumerate(lines_of(path, file), 1):
            waiting.append(line)
            size += len(line)
            if size >= PIECE:
                position.done = file.position()
                yield first, _checked("".join(waiting))
                waiting, size, first = [], 0, number + 1
        if waiting or number == 0:
            yield first, _checked("".join(waiting))


def _checked(text: str) -> list[object] | str:
    wrong = wrong_bytes(text)
    return f"expected text in the file's encoding, found the bytes {wrong}; --encoding names another" if wrong else [text]
