"""A conversation in pieces: prompts, and the answers that a model is to predict."""

import re
import typing

from .. import InputError
from .forms import Conversation, Pair

if typing.TYPE_CHECKING:  # which needs jinja2
    from .template import Template


class Piece(typing.NamedTuple):
    text: str
    is_completion: bool


def render_conversation(template: "Template", specials: re.Pattern[str], conversation: Conversation, where: str) -> list[Piece]:
    """Prompt and completion of each answer in turn.

    A prompt ends as generation begins, and a completion with the first special token behind the answer, the end of the turn. What the
    template puts behind that token begins the next prompt. Raises InputError where the template writes an answer otherwise than it
    begins one, and Broken where there is no answer.
    """
    pieces: list[Piece] = []
    done = ""
    for i in conversation.answers():
        prefix = template.render(conversation.messages[:i], True, where)
        whole = template.render(conversation.messages[: i + 1], False, where)
        if not (prefix.startswith(done) and whole.startswith(prefix) and len(whole) > len(prefix)):
            raise InputError(
                f"{template.place}: expected a chat template whose text with an answer begins with its text up to the answer, "
                f"found another beginning at message {i + 1} of {where}. Use another template, or --template none"
            )
        answer = _to_its_end(whole[len(prefix) :], conversation.messages[i]["content"], specials)
        pieces += [Piece(prefix[len(done) :], False), Piece(answer, True)]
        done = prefix + answer
    return pieces


def _to_its_end(answer: str, content: object, specials: re.Pattern[str]) -> str:
    """An answer up to the first special token behind its content; all of it without one. Where the template writes the content otherwise, the first counts."""
    text = str(content).strip()
    place = answer.find(text)
    end = specials.search(answer, max(0, place) + (len(text) if place >= 0 else 0))
    return answer[: end.end()] if end else answer


def join_pair(pair: Pair, end: str) -> list[Piece]:
    """Prompt and completion as they are, and the token `end`."""
    return [Piece(pair.prompt, False), Piece(pair.completion + end, True)]
