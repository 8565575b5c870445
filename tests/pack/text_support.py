"""What tests of packs of tokens share: packs by counts, a tokenizer of words, and the program."""

import pathlib
import subprocess
import sys

import h5py
import numpy as np
from palimpsest.pack import pack_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

PROGRAM = pathlib.Path(__file__).parents[2] / "tools" / "palimpsest-pack"


def run(*arguments, code=0):
    """Runs the program, checks its exit code, and returns what it printed (stdout, stderr)."""
    done = subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def token_pack(path, counts):
    """A pack with so many samples: {class: (training, test)}; every sample is its own token."""
    rows = [(label, side) for label, sides in enumerate(counts.values()) for side in (0, 1) for _ in range(sides[side])]
    labels, split = np.array([label for label, _ in rows], "<i4"), np.array([side for _, side in rows], "u1")
    tokens = [np.array([number], "<i4") for number in range(len(rows))]
    pack_file.write_pack(path, pack_file.Pack(max(1, len(rows)), list(counts), tokens, labels, split, "{}"))
    return path


def word_tokenizer(folder, words):
    """folder/tokenizer.json: a token a word, [CLS] at the beginning and [SEP] at the end."""
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(["[UNK]", "[CLS]", "[SEP]", *words])}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def read_rows(path, words):
    """[(class, is test, text)] of a pack of texts in the tokens of word_tokenizer(), without its first and last."""
    with h5py.File(path) as file:
        classes = [name.decode() for name in file["classes"]]
        ids, ends = file["bytes"][()].view("<i4"), file["offsets"][()] // 4
        return [
            (classes[label], bool(split), " ".join(words[i] for i in ids[begin + 1 : end - 1]))
            for label, split, begin, end in zip(file["labels"], file["split"], ends[:-1], ends[1:], strict=True)
        ]
