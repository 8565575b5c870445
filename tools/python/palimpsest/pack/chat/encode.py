"""Pieces of conversations as token ids, with where completions begin and end."""

import collections
import typing

from tokenizers import Tokenizer

from .. import InputError
from ..texts.rows import Broken
from ..texts.tokenizer import max_length
from .settings import added_specials
from .turns import Piece

Span: typing.TypeAlias = tuple[int, int]


class Row(typing.NamedTuple):
    head: str  # with `number`, what messages call it: "a.jsonl, line" and 12
    number: int
    task: str
    side: int | None  # TRAIN, TEST, or None where the split is made by hash
    prompt: str | None  # rows with equal ones are on one side of a split by hash; None: samples with equal tokens
    pieces: list[Piece]
    has_beginning: bool = False  # the token that the tokenizer puts before a text comes first
    in_chunks: bool = False  # one piece, of which as many samples are made as it has tokens for

    @property
    def place(self) -> str:
        return f"{self.head} {self.number}"


class Sequence(typing.NamedTuple):
    ids: list[int]
    completions: list[Span]  # begin and end (exclusive) of each in `ids`
    whole: int  # tokens before the cut


class Encoder:
    """A tokenizer of load_tokenizer(), which cuts nothing any more: sequences are cut by their completions."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.most = max_length(tokenizer)
        if self.most < 2:
            raise InputError(f"--max-length: expected 2 or more, so that a sample has a token to predict, found {self.most}")
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self._first = _first_ids(tokenizer)
        self._special = {each["id"] for each in added_specials(tokenizer)}
        self.ends: collections.Counter[int | None] = collections.Counter()  # completions by the special token at their end, or None

    def encode(self, rows: list[Row]) -> typing.Iterator[tuple[Row, list[Sequence] | str]]:
        """(row, its samples, or why it has none)."""
        ids = iter(self._ids(rows))
        for row in rows:
            parts = [next(ids) for _ in row.pieces]
            try:
                yield row, self._chunks(parts[0]) if row.in_chunks else [self._sequence(row, parts)]
            except Broken as reason:
                yield row, str(reason)

    def _ids(self, rows: list[Row]) -> list[list[int]]:
        """The ids of every piece of the rows, encoded by itself."""
        texts = [piece.text for row in rows for piece in row.pieces]
        try:
            return [code.ids for code in self.tokenizer.encode_batch(texts, add_special_tokens=False)]
        except Exception as error:  # tokenizers raises plain Exception
            for row in rows:
                for piece in row.pieces:
                    try:
                        self.tokenizer.encode(piece.text)
                    except Exception as reason:
                        raise InputError(
                            f"{row.place}: the tokenizer can't encode this text: {reason}. Use a tokenizer with a token for unknown words ([UNK])"
                        ) from None
            raise InputError(f"the tokenizer can't encode the texts: {error}") from None

    def _sequence(self, row: Row, parts: list[list[int]]) -> Sequence:
        ids = list(self._first) if row.has_beginning else []
        completions: list[Span] = []
        for piece, part in zip(row.pieces, parts, strict=True):
            if piece.is_completion:
                if not part or not ids:
                    raise Broken(f"expected a prompt and an answer, found no tokens for the {'answer' if ids else 'prompt'}")
                completions.append((len(ids), len(ids) + len(part)))
            ids += part
        kept = [(begin, min(end, self.most)) for begin, end in completions if begin < self.most]
        if not kept:
            raise Broken(f"expected a completion within {self.most} tokens, found a prompt of {completions[0][0]}; --max-length sets the limit")
        self.ends.update(ids[end - 1] if ids[end - 1] in self._special else None for _, end in completions)
        return Sequence(ids[: kept[-1][1]], kept, len(ids))

    def _chunks(self, ids: list[int]) -> list[Sequence]:
        """All ids, the last ones if they are enough for a prediction."""
        room = self.most - len(self._first)
        chunks = [[*self._first, *ids[begin : begin + room]] for begin in range(0, len(ids), room)]
        found = [Sequence(chunk, [(1, len(chunk))], len(chunk)) for chunk in chunks if len(chunk) > 1]
        if not found:
            raise Broken("expected a text of at least two tokens, found fewer")
        return found


def _first_ids(tokenizer: Tokenizer) -> list[int]:
    """What the tokenizer puts before a text: the id of a token that begins texts, or nothing."""
    try:
        code = tokenizer.encode("a")
    except Exception:  # no token for unknown words
        return []
    ordinary = [i for i, is_special in enumerate(code.special_tokens_mask) if not is_special]
    return list(code.ids[: ordinary[0]]) if ordinary else []
