"""The forms in which prompts and completions are written: which columns they have, and what a row of them says."""

import json
import typing

from .. import InputError
from ..notes import note
from ..texts.columns import find_columns, list_columns
from ..texts.rows import Broken, check_characters, check_surrogates, is_missing, shorten

Message: typing.TypeAlias = dict[str, object]  # "role", "content", and whatever else a template reads
ASSISTANT = "assistant"
KNOWN = "prompt and completion; instruction and output, with input or not; messages; conversations"
_SHAREGPT_ROLES = {"human": "user", "gpt": ASSISTANT}


class Form(typing.NamedTuple):
    """Columns that are read together."""

    kind: str  # pair, instruction, messages or text
    columns: tuple[str, ...]
    optional: frozenset[str] = frozenset()  # that a line of JSON Lines may lack

    def names(self, found: typing.Sequence[str]) -> list[str]:
        """The columns to read of a source that has the columns `found`."""
        return [name for name in self.columns if name not in self.optional or _has(found, name)]


PLAIN_TEXT = Form("text", ("text",))
FORMS = (
    Form("pair", ("prompt", "completion")),
    Form("instruction", ("instruction", "output", "input"), frozenset({"input"})),
    Form("messages", ("messages",)),
    Form("messages", ("conversations",)),
)


def find_form(place: str, found: typing.Sequence[str]) -> Form:
    """The first of FORMS whose columns a source has; a note names others that it has, too."""
    fitting = [form for form in FORMS if all(_has(found, name) for name in form.columns if name not in form.optional)]
    if not fitting:
        raise InputError(
            f"{place}: expected columns of a known form ({KNOWN}), found {list_columns(found)}. "
            "Choose columns with --prompt and --completion, --messages, or --text"
        )
    if len(fitting) > 1:
        others = "; ".join(" and ".join(form.names(found)) for form in fitting[1:])
        note(f"{place}: {' and '.join(fitting[0].names(found))} are read, {others} are not; --prompt and --completion, or --messages, choose other columns")
    return fitting[0]


def _has(found: typing.Sequence[str], name: str) -> bool:
    try:
        return bool(find_columns("", found, [name]))
    except InputError:
        return False


class Pair(typing.NamedTuple):
    prompt: str
    completion: str

    def conversation(self) -> "Conversation":
        return Conversation([{"role": "user", "content": self.prompt}, {"role": ASSISTANT, "content": self.completion}], 0)


class Conversation(typing.NamedTuple):
    messages: list[Message]
    prompts: int  # messages at the beginning of which none is predicted, whatever their roles

    def answers(self) -> list[int]:
        """The messages that are predicted. Raises Broken where there are none."""
        found = [i for i, message in enumerate(self.messages) if i >= self.prompts and message["role"] == ASSISTANT]
        if not found:
            raise Broken(f"expected a message with the role {ASSISTANT}, found none (prompt only)")
        if found[0] == 0:
            raise Broken("expected a message before the first answer, found none")
        return found

    def prompt(self) -> str:
        """What comes before the first answer, as a text to compare."""
        return json.dumps(self.messages[: self.answers()[0]], sort_keys=True, default=str)


def read_pair(form: Form, found: dict[str, object]) -> Pair | Conversation:
    """What a row of the forms pair, instruction or messages says; `found` are its values by column. Raises Broken."""
    if form.kind == "messages":
        (column,) = form.columns
        return Conversation(_messages(found[column], column), 0)
    first, second = form.columns[:2]
    if isinstance(found[first], list) or isinstance(found[second], list):
        before = _as_messages(found[first], first, "user")
        return Conversation(before + _as_messages(found[second], second, ASSISTANT), len(before))
    prompt = text_of(found[first], first)
    more = found.get("input") if form.kind == "instruction" else None
    if not is_missing(more):
        prompt = f"{prompt}\n\n{text_of(more, 'input')}"
    return Pair(prompt, text_of(found[second], second))


def text_of(value: object, column: str) -> str:
    """A text as it is, blanks at its ends included. Raises Broken for one that is blank or can't be encoded."""
    if is_missing(value) and not isinstance(value, str):
        raise Broken(f"column {column!r}: expected a text, found none")
    if not isinstance(value, str):
        raise Broken(f"column {column!r}: expected a text, found {shorten(repr(value))}")
    check_characters(value.strip(), column, "a text")
    return value


def _as_messages(value: object, column: str, role: str) -> list[Message]:
    """A list of messages as it is, a text as one message of `role`."""
    return _messages(value, column) if isinstance(value, list) else [{"role": role, "content": text_of(value, column)}]


def _messages(value: object, column: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        found = "none" if value is None or value == [] else shorten(repr(value))
        raise Broken(f"column {column!r}: expected a list of messages with role and content, found {found}")
    return [_message(each, f"{column}, message {number}") for number, each in enumerate(value, 1)]


def _message(value: object, place: str) -> Message:
    """As a template reads it, of {"role", "content", ...} or of ShareGPT's {"from", "value"}."""
    if not isinstance(value, dict):
        raise Broken(f"{place}: expected an object with role and content, found {shorten(repr(value))}")
    found = {str(name): each for name, each in value.items() if each is not None}
    if "role" not in found and "from" in found:
        role = found.pop("from")
        found["role"] = _SHAREGPT_ROLES.get(role, role) if isinstance(role, str) else role
        found["content"] = found.pop("value", None)
    role, content = found.get("role"), found.get("content")
    if not isinstance(role, str) or not role.strip():
        raise Broken(f"{place}: expected a role, such as user or {ASSISTANT}, found {'none' if role is None else shorten(repr(role))}")
    calls = bool(found.get("tool_calls"))
    if content is None and calls:
        return found | {"content": ""}
    if not isinstance(content, str):
        raise Broken(f"{place}: expected a text as content, found {'none' if content is None else shorten(repr(content))}")
    if role == ASSISTANT and not content.strip() and not calls:
        raise Broken(f"{place}: expected an answer, found only blanks")
    check_surrogates(content, place, "a text")
    return found
