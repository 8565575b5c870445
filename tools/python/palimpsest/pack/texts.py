"""Texts as token ids. Texts that are cut are counted in a note; what the model beside the tokenizer can't take is refused."""

import hashlib
import json
import pathlib

import numpy as np
from tokenizers import Tokenizer

from . import InputError
from .notes import note
from .pack_file import Pack

MOST_TOKENS = 128
BATCH = 1024  # texts encoded at once
# Families whose positions up to the padding token's id stay unused.
_BEHIND_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet")


def load_tokenizer(path, most_tokens=None):
    """The tokenizer of FOLDER/tokenizer.json or of the file itself, without padding, cut at `most_tokens`.

    Without `most_tokens`: at MOST_TOKENS, or at the positions of the model whose config.json lies beside it, if fewer.
    """
    path = pathlib.Path(path)
    path = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises plain Exception
        raise InputError(
            f"{path}: expected a tokenizer.json (palimpsest-pack backbone minilm writes one): {error}"
        ) from None
    config = path.with_name("config.json")
    positions, vocabulary = _model(config) if config.is_file() else (None, None)
    if most_tokens and positions and most_tokens > positions:
        raise InputError(f"--max-tokens: expected at most {positions}, the positions that {config} says, found {most_tokens}")
    if vocabulary and tokenizer.get_vocab_size() > vocabulary:
        raise InputError(
            f"{path}: expected a vocabulary of at most {vocabulary}, which {config} says, found "
            f"{tokenizer.get_vocab_size()}. Take the model's own tokenizer"
        )
    most_tokens = most_tokens or min(MOST_TOKENS, positions or MOST_TOKENS)
    special = tokenizer.num_special_tokens_to_add(False)
    if most_tokens <= special:
        raise InputError(f"--max-tokens: expected more than the {special} special tokens of a text, found {most_tokens}")
    tokenizer.no_padding()
    tokenizer.enable_truncation(most_tokens)
    return tokenizer


def _model(config):
    """(positions, vocabulary) of a config.json, None where it doesn't say."""
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
        positions, vocabulary = found.get("max_position_embeddings"), found.get("vocab_size")
        family = found.get("model_type")
        if positions and family in _BEHIND_PADDING:
            positions -= (1 if family == "mpnet" else found.get("pad_token_id", 1)) + 1
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{config}: expected the JSON of a model's settings, found {error}") from None
    return positions, vocabulary


def encode(tokenizer, texts):
    """(int32 ids of each text, {what the pack's source says of it}); texts that are cut are counted in a note.

    Changes the tokenizer: afterwards it cuts no more.
    """
    most = tokenizer.truncation["max_length"]
    ids, cut = [], []
    for begin in range(0, len(texts), BATCH):
        batch = texts[begin : begin + BATCH]
        coded = tokenizer.encode_batch(batch)
        ids += [np.array(text.ids, dtype="<i4") for text in coded]
        cut += [text for text, code in zip(batch, coded) if code.overflowing]
    tokenizer.no_truncation()
    longest = max((len(text.ids) for text in tokenizer.encode_batch(cut)), default=max(map(len, ids)))
    if cut:
        note(f"{len(cut)} of {len(texts)} texts are cut at {most} tokens; the longest has {longest}. --max-tokens sets it")
    return ids, {"most_tokens": most, "texts_cut": len(cut), "longest_text": longest}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def pack_texts(tokenizer, classes, rows, source):
    """The Pack of rows (label, side, text), in their order. `source` says where they are from."""
    tokenizer_sha256, vocabulary = sha256(tokenizer.to_str()), tokenizer.get_vocab_size()
    tokens, lengths = encode(tokenizer, [text for _, _, text in rows])
    return Pack(
        vocabulary=vocabulary,
        classes=classes,
        tokens=tokens,
        labels=np.array([label for label, _, _ in rows], dtype="<i4"),
        split=np.array([side for _, side, _ in rows], dtype="u1"),
        source=json.dumps({**source, **lengths, "tokenizer_sha256": tokenizer_sha256}),
    )
