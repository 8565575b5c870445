"""The C++ encoder for BERT, RoBERTa and MPNet against transformers' on the same pretrained weights and texts."""

import functools
import os
import subprocess

import numpy as np
import pytest
import torch
import transformers
from palimpsest.pack import pack_file
from tiers import quick

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "data")
WORDS = "a tool for quick conversion of files between many formats and other encodings".split()


def assert_agrees(model, folder, samples, path):
    """The last hidden states of all samples (arrays of token ids), ours against the model's, within 1e-5."""
    pack = pack_file.Pack(
        vocabulary=model.config.vocab_size,
        classes=["only"],
        tokens=samples,
        labels=np.zeros(len(samples), dtype="<i4"),
        split=np.zeros(len(samples), dtype="u1"),
        source="{}",
    )
    pack_file.write_pack(path / "pack.h5", pack)
    program = os.environ["PALIMPSEST_HIDDEN_STATES"]
    subprocess.run([program, folder, path / "pack.h5", str(len(samples)), path / "out"], check=True)
    ours = np.fromfile(path / "out", "<f4").reshape(-1, model.config.hidden_size)
    assert len(ours) == sum(map(len, samples))
    first = 0
    for sample in samples:
        with torch.no_grad():
            theirs = model(torch.tensor(sample[None].astype("int64"))).last_hidden_state[0].numpy()
        np.testing.assert_allclose(ours[first : first + len(sample)], theirs, atol=1e-5, rtol=0)
        first += len(sample)


@pytest.mark.parametrize("name", quick(1, ["minilm", "mpnet"]))
def test_hidden_states_agree_with_transformers(name, tmp_path):
    folder = os.path.join(DATA, name)
    if name == "mpnet" and not os.path.exists(folder):
        pytest.skip("no data/mpnet: launch/setup.sh --mpnet, then palimpsest pack backbone mpnet --out data/mpnet")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    # Lengths from 3 to 100 tokens, some equal neighbours: runs of one and of several texts.
    texts = [" ".join(WORDS[i % 13 :] * (1 + i % 8)) for i in range(40)] + ["library", "library", "tools"]
    samples = [np.asarray(tokenizer(text)["input_ids"], dtype="<i4") for text in texts]
    assert_agrees(model, folder, samples, tmp_path)


SMALL = {"vocab_size": 60, "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 80}
FAMILY = {
    "bert": functools.partial(transformers.BertConfig, max_position_embeddings=40),
    "mpnet": functools.partial(transformers.MPNetConfig, hidden_size=64, max_position_embeddings=302),
    "one head": functools.partial(transformers.BertConfig, max_position_embeddings=40, layer_norm_eps=1e-5),
    "roberta": functools.partial(transformers.RobertaConfig, max_position_embeddings=42, type_vocab_size=1),
    "xlm-roberta": functools.partial(transformers.XLMRobertaConfig, max_position_embeddings=42, type_vocab_size=1),
    "camembert": functools.partial(transformers.CamembertConfig, max_position_embeddings=42, type_vocab_size=1),
}


@pytest.mark.parametrize("family", quick(3, FAMILY))
def test_random_models_of_the_family_agree(family, tmp_path):
    torch.manual_seed(11)
    config = FAMILY[family](**{**SMALL, **FAMILY[family].keywords, **({"num_attention_heads": 1} if family == "one head" else {})})
    model = transformers.AutoModel.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "model")
    # The last one fills every position; MPNet's goes past the distances that have a bias each.
    lengths = (3, 7, 7, 19, 300 if family == "mpnet" else 40)
    samples = [np.random.default_rng(n).integers(4, SMALL["vocab_size"], n).astype("<i4") for n in lengths]
    assert_agrees(model, tmp_path / "model", samples, tmp_path)
