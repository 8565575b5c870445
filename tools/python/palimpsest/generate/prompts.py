"""Prompts as token ids, and as a pack that `palimpsest generate` continues."""

import dataclasses
import json
import pathlib

import numpy as np
from tokenizers import Tokenizer

from ..errors import InputError
from ..pack.chat.encode import Encoder, Row
from ..pack.chat.forms import Pair
from ..pack.chat.settings import added_specials, end_of_text, folder_of, load_template, special_tokens
from ..pack.chat.turns import Piece, join_pair, render_conversation
from ..pack.pack_file import TEST, PackIndex, offsets_of, write_samples
from ..pack.pack_hash import crc32c
from ..pack.texts.tokenizer import load_tokenizer
from .saved import positions_of

# An answer whose end is that of every answer.
ANSWER = "a"
# Tokens at which a sample is cut: none. A prompt that is too long is refused.
NEVER = 1 << 30


@dataclasses.dataclass(frozen=True)
class Prompts:
    tokenizer: Tokenizer
    ids: list[list[int]]  # of each prompt, up to the beginning of the answer
    end: int  # the token that ends an answer

    def room(self, backbone: str, limit: int | None, usual: int) -> int:
        """Most tokens to write after each: `limit`; or `usual`, or as many as fit into the positions of the backbone behind the longest prompt.

        Raises InputError for a prompt without room for them.
        """
        positions = positions_of(backbone)
        found = limit or min(usual, max(1, positions - max(map(len, self.ids))))
        for number, ids in enumerate(self.ids, 1):
            if len(ids) + found > positions:
                raise InputError(
                    f"prompt {number}: expected at most {positions - found} tokens, found {len(ids)}, including the tokens of the template. {backbone} has "
                    f"{positions} positions, and {found} of them are for new tokens. Shorten the prompt{'' if limit is None else ', or lower --limit'}"
                )
        return found


def prompts_of_file(file: str) -> list[str]:
    """The lines of a file that aren't blank."""
    try:
        found = [line for line in pathlib.Path(file).read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeError) as error:
        raise InputError(f"{file}: expected a UTF-8 file with one prompt per line, but it cannot be read: {error}") from None
    if not found:
        raise InputError(f"{file}: expected one prompt per line, found none")
    return found


def encode_prompts(texts: list[str], folder: str, has_template: bool) -> Prompts:
    """Each text as a user's message in the chat template of the tokenizer's folder; or as it is, behind the token that begins a text."""
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise InputError(f"prompt {number}: expected a text, found {'only blanks' if text else 'an empty one'}")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(f"prompt {number}: expected UTF-8 text, found bytes that are not UTF-8")
    tokenizer = load_tokenizer(folder)
    tokenizer.enable_truncation(NEVER)
    pieces = _pieces(texts, folder_of(folder), tokenizer, has_template)
    rows = [Row("prompt", number, "", TEST, None, found, has_beginning=not has_template) for number, found in enumerate(pieces, 1)]
    ids: list[list[int]] = []
    for row, samples in Encoder(tokenizer).encode(rows):
        if isinstance(samples, str):
            raise InputError(f"{row.place}: {samples}")
        (sample,) = samples
        ((begin, _),) = sample.completions
        ids.append(sample.ids[:begin])
        end = sample.ids[-1]
    _check_end(folder, tokenizer, end)
    return Prompts(tokenizer, ids, end)


def _pieces(texts: list[str], folder: pathlib.Path, tokenizer: Tokenizer, has_template: bool) -> list[list[Piece]]:
    """Prompt and answer of each text."""
    pairs = [Pair(text, ANSWER) for text in texts]
    if not has_template:
        end = end_of_text(folder, tokenizer)
        return [join_pair(pair, end) for pair in pairs]
    template, specials = load_template(folder), special_tokens(tokenizer)
    return [render_conversation(template, specials, pair.conversation(), f"prompt {number}") for number, pair in enumerate(pairs, 1)]


def _check_end(folder: str, tokenizer: Tokenizer, end: int) -> None:
    if end not in {each["id"] for each in added_specials(tokenizer)}:
        raise InputError(
            f"{folder}: expected a chat template that ends an answer with a special token, found no such token. Generation would not know where to stop"
        )


def write_prompts(path: pathlib.Path, prompts: Prompts) -> None:
    """A pack whose samples are the prompts, each with the end as its completion."""
    blocks = [np.array([*ids, prompts.end], "<i4").tobytes() for ids in prompts.ids]
    lengths = np.array([len(ids) for ids in prompts.ids], "<i8")
    index = PackIndex(
        kind="sequences",
        classes=["prompts"],
        offsets=offsets_of(map(len, blocks)),
        shape=(lengths + 1).reshape(-1, 1),
        crc32c=np.array([crc32c(block) for block in blocks], "<u4"),
        labels=np.zeros(len(blocks), "<i4"),
        split=np.full(len(blocks), TEST, "u1"),
        source=json.dumps({"what": "prompts"}),
        vocabulary=prompts.tokenizer.get_vocab_size(),
        completions=np.stack([lengths, lengths + 1], axis=1),
        completion_offsets=np.arange(len(blocks) + 1, dtype="<i8"),
    )
    write_samples(path, index, blocks)
