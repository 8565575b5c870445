"""Tokenizers: how they are loaded, where they cut, and the token ids of a batch. What the model beside the tokenizer can't take is refused."""

import itertools
import json
import pathlib
import typing

import numpy as np
from tokenizers import Tokenizer

from .. import InputError
from ..arrays import Ints
from ..notes import note
from .rows import Row

MOST_TOKENS = 128
# Families whose positions up to the padding token's id stay unused.
_BEHIND_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet")


def load_tokenizer(path: str | pathlib.Path, most_tokens: int | None = None, usual: int = MOST_TOKENS) -> Tokenizer:
    """The tokenizer of FOLDER/tokenizer.json or of the file itself, without padding, cut at `most_tokens`.

    Without `most_tokens`: at `usual`, or at the positions of the model whose config.json lies beside it, if fewer.
    """
    path = pathlib.Path(path)
    path = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: expected a tokenizer.json (palimpsest pack backbone minilm writes one), found nothing there") from None
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(f"{path}: expected a tokenizer.json (palimpsest pack backbone minilm writes one), but it cannot be read: {error}") from None
    config = path.with_name("config.json")
    positions, vocabulary = model_limits(config) if config.is_file() else (None, None)
    if most_tokens and positions and most_tokens > positions:
        raise InputError(f"--max-length: expected at most {positions}, the number of positions in {config}, found {most_tokens}")
    if vocabulary and tokenizer.get_vocab_size() > vocabulary:
        raise InputError(
            f"{path}: expected a vocabulary of at most {vocabulary}, the size in {config}, found {tokenizer.get_vocab_size()}. Use the model's own tokenizer"
        )
    most_tokens = most_tokens or min(usual, positions or usual)
    special = tokenizer.num_special_tokens_to_add(False)
    if most_tokens <= special:
        raise InputError(f"--max-length: expected more than {special}, the number of special tokens of a text, found {most_tokens}")
    if _drops_unknown(tokenizer):
        note(f"{path}: the tokenizer has no token for unknown characters; texts are packed without them")
    tokenizer.no_padding()
    tokenizer.enable_truncation(most_tokens)
    return tokenizer


def model_limits(config: pathlib.Path) -> tuple[int | None, int | None]:
    """(positions, vocabulary) of a config.json, None where it doesn't say."""
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
        positions, vocabulary = found.get("max_position_embeddings"), found.get("vocab_size")
        family = found.get("model_type")
        if positions and family in _BEHIND_PADDING:
            positions -= (1 if family == "mpnet" else found.get("pad_token_id", 1)) + 1
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{config}: expected a model's settings in JSON, but they cannot be read: {error}") from None
    return positions, vocabulary


def _drops_unknown(tokenizer: Tokenizer) -> bool:
    """Whether characters that the vocabulary lacks give no token at all: a BPE model with neither [UNK] nor bytes."""
    text = tokenizer.to_str()
    model = json.loads(text)["model"]
    return model.get("type") == "BPE" and not model.get("unk_token") and not model.get("byte_fallback") and '"ByteLevel"' not in text


def max_length(tokenizer: Tokenizer) -> int:
    """Tokens at which a tokenizer of load_tokenizer() cuts."""
    assert tokenizer.truncation is not None
    return int(tokenizer.truncation["max_length"])


class Encoded(typing.NamedTuple):
    ids: Ints  # [tokens of all texts]
    lengths: Ints  # [texts]: tokens of each, 0 for a text of which no token is left but special ones
    whole: Ints  # [texts]: tokens before the cut


def encode(tokenizer: Tokenizer, rows: list[Row]) -> Encoded:
    """The token ids of the rows' texts. Raises InputError with the place of a text for which the tokenizer has no tokens."""
    texts = [row.text for row in rows]
    coded = _batch(tokenizer, rows)
    special = tokenizer.num_special_tokens_to_add(isinstance(texts[0], tuple))
    ids = [code.ids if len(code.ids) > special else [] for code in coded]
    lengths = np.fromiter(map(len, ids), dtype="<i4", count=len(ids))
    whole = lengths.copy()
    cut = [i for i, code in enumerate(coded) if code.overflowing]
    if cut:
        most = max_length(tokenizer)
        tokenizer.no_truncation()
        whole[cut] = [len(code.ids) for code in tokenizer.encode_batch([texts[i] for i in cut])]
        tokenizer.enable_truncation(most)
    return Encoded(np.fromiter(itertools.chain.from_iterable(ids), dtype="<i4", count=int(lengths.sum())), lengths, whole)


def _batch(tokenizer: Tokenizer, rows: list[Row]) -> list[typing.Any]:
    try:
        return list(tokenizer.encode_batch([row.text for row in rows]))
    except Exception as error:  # tokenizers raises plain Exception
        for row in rows:
            try:
                tokenizer.encode(*(row.text if isinstance(row.text, tuple) else (row.text,)))
            except Exception as reason:
                raise InputError(
                    f"{row.place}: the tokenizer can't encode this text: {reason}. Use a tokenizer with a token for unknown words ([UNK])"
                ) from None
        raise InputError(f"the tokenizer can't encode the texts: {error}") from None
