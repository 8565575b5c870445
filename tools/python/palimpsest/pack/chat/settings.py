"""What the folder of a tokenizer says besides the tokenizer: its chat template, and which tokens begin and end a text."""

import json
import pathlib
import re
import typing

from tokenizers import Tokenizer

from .. import InputError

if typing.TYPE_CHECKING:  # which needs jinja2
    from .template import Template

TEMPLATE_FILE, SETTINGS, MORE_SETTINGS = "chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json"


def folder_of(tokenizer: str) -> pathlib.Path:
    """The folder of --tokenizer, which may name the file in it."""
    path = pathlib.Path(tokenizer)
    return path if path.is_dir() else path.parent


def find_template(folder: pathlib.Path) -> tuple[str, str]:
    """(the text of the chat template, what messages call it): of chat_template.jinja, or else of tokenizer_config.json.

    A list of templates there has one called default.
    """
    file = folder / TEMPLATE_FILE
    if file.is_file():
        return _read(file), str(file)
    settings = folder / SETTINGS
    found = _settings(settings).get("chat_template")
    if isinstance(found, list):
        named = [each.get("template") for each in found if isinstance(each, dict) and each.get("name") == "default"]
        found = named[0] if named else None
    if not isinstance(found, str):
        raise InputError(
            f"{folder}: expected a chat template in {TEMPLATE_FILE} or in chat_template of {SETTINGS} (from a list, the one called default), found none. "
            "Use the folder of a chat model, or --template none, which joins prompt and completion as they are"
        )
    return found, f"{settings}, chat_template"


def load_template(folder: pathlib.Path) -> "Template":
    """The chat template of the folder, with the tokens that its settings name."""
    text, place = find_template(folder)
    try:
        from .template import Template
    except ModuleNotFoundError as error:
        raise InputError(f"{place}: a chat template needs the Python package {error.name}. Install it: pip install -r launch/requirements-python.txt") from None
    return Template(text, place, named_tokens(folder))


def named_tokens(folder: pathlib.Path) -> dict[str, str]:
    """{"eos_token": "</s>", ...}: the tokens that the settings of a tokenizer name."""
    named: dict[str, str] = {}
    for file in (MORE_SETTINGS, SETTINGS):
        for name, value in _settings(folder / file).items():
            text = value.get("content") if isinstance(value, dict) else value
            if name.endswith("_token") and isinstance(text, str):
                named[name] = text
    return named


def end_of_text(folder: pathlib.Path, tokenizer: Tokenizer) -> str:
    """The token that the settings of the tokenizer name as the end."""
    end = named_tokens(folder).get("eos_token")
    if end is None:
        raise InputError(f"{folder}: expected the end-of-text token as eos_token in tokenizer_config.json, found none. --template none needs it: add it there")
    found = tokenizer.encode(end, add_special_tokens=False).ids
    if tokenizer.token_to_id(end) is None or found != [tokenizer.token_to_id(end)]:
        raise InputError(
            f"{folder}: expected the end-of-text token {end!r} as one token of the tokenizer, found the ids {found}. Use the model's own tokenizer"
        )
    return end


def added_specials(tokenizer: Tokenizer) -> list[dict[str, typing.Any]]:
    """The special tokens that were added to the vocabulary, as tokenizer.json has them: id, content, rstrip, ..."""
    return [each for each in json.loads(tokenizer.to_str()).get("added_tokens") or [] if each.get("special")]


def special_tokens(tokenizer: Tokenizer) -> re.Pattern[str]:
    """What finds a special token in a text, with the blanks that the tokenizer takes into it; nothing where there are none."""
    added = [each for each in added_specials(tokenizer) if each.get("content")]
    longest_first = sorted(added, key=lambda each: -len(each["content"]))
    return re.compile("|".join(re.escape(each["content"]) + (r"\s*" if each.get("rstrip") else "") for each in longest_first) or "(?!)")


def _settings(path: pathlib.Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(_read(path))
    except ValueError as error:
        raise InputError(f"{path}: expected a tokenizer's settings in JSON, but the file cannot be read: {error}") from None
    return found if isinstance(found, dict) else {}


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: expected UTF-8 text, but the file cannot be read: {error}") from None
