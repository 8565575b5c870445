"""The C++ BERT encoder against transformers' on the same pretrained weights and texts."""

import os
import subprocess
import sys

import numpy as np
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "pack"))
from palimpsest_pack import pack_file  # noqa: E402

BACKBONE = os.path.join(ROOT, "data", "minilm")
WORDS = "a tool for quick conversion of files between many formats and other encodings".split()


def test_hidden_states_agree_with_transformers(tmp_path):
    tokenizer = transformers.AutoTokenizer.from_pretrained(BACKBONE)
    model = transformers.AutoModel.from_pretrained(BACKBONE, dtype=torch.float32).eval()
    # Lengths from 3 to 100 tokens, some equal neighbours: runs of one and of several texts.
    texts = [" ".join(WORDS[i % 13 :] * (1 + i % 8)) for i in range(40)] + ["library", "library", "tools"]
    samples = [np.asarray(tokenizer(text)["input_ids"], dtype="<i4") for text in texts]
    pack = pack_file.Pack(
        vocabulary=model.config.vocab_size,
        classes=["only"],
        tokens=samples,
        labels=np.zeros(len(samples), dtype="<i4"),
        split=np.zeros(len(samples), dtype="u1"),
        source="{}",
    )
    pack_file.write_pack(tmp_path / "pack.h5", pack)
    program = os.environ["PALIMPSEST_HIDDEN_STATES"]
    subprocess.run([program, BACKBONE, tmp_path / "pack.h5", str(len(samples)), tmp_path / "out"], check=True)
    ours = np.fromfile(tmp_path / "out", "<f4").reshape(-1, model.config.hidden_size)
    assert len(ours) == sum(map(len, samples))

    first = 0
    for sample in samples:
        with torch.no_grad():
            theirs = model(torch.tensor(sample[None].astype("int64"))).last_hidden_state[0].numpy()
        np.testing.assert_allclose(ours[first : first + len(sample)], theirs, atol=1e-5, rtol=0)
        first += len(sample)
