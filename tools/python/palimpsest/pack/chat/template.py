"""Chat templates: messages as the text of a conversation, rendered as transformers does."""

import datetime
import json
import traceback
import typing

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from .. import InputError
from .forms import Message

_IN_TEMPLATE = ("<template>", "<unknown>")  # what jinja2 calls the file of a template that has none


class _Generation(jinja2.ext.Extension):
    """{% generation %} ... {% endgeneration %}, which marks answers for transformers, renders what is in it."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        return jinja2.nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)


class Template:
    """A template of a tokenizer's folder. `place` is what messages call it."""

    def __init__(self, text: str, place: str, variables: dict[str, str]) -> None:
        self.text, self.place, self._variables = text, place, variables
        self.shows_date = False  # whether it has asked which day it is
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols])
        environment.filters["tojson"] = _as_json
        environment.globals |= {"raise_exception": _raise, "strftime_now": self._now}
        try:
            self._template = environment.from_string(text)
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"{place}, line {error.lineno}: expected a chat template that jinja2 can parse, but parsing failed: {error.message}") from None

    def render(self, messages: list[Message], add_generation_prompt: bool, where: str) -> str:
        """The text of messages, with the beginning of an answer behind them if `add_generation_prompt`. `where` the messages are from."""
        try:
            return self._template.render(messages=messages, tools=None, documents=None, add_generation_prompt=add_generation_prompt, **self._variables)
        except Exception as error:  # a template may fail in any way
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename in _IN_TEMPLATE]
            line = f", line {lines[-1]}" if lines else ""
            raise InputError(
                f"{self.place}{line}: the chat template cannot render {where}: {str(error) or type(error).__name__}. "
                "Change the messages or the template, or use --template none"
            ) from None

    def _now(self, form: str) -> str:
        self.shows_date = True
        return datetime.datetime.now().strftime(form)


def _as_json(value: object, ensure_ascii: bool = False, indent: int | None = None, separators: tuple[str, str] | None = None, sort_keys: bool = False) -> str:
    """As json.dumps: jinja2's own filter replaces characters of HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> typing.NoReturn:
    raise jinja2.TemplateError(message)
