"""Decoders of the Llama family against transformers and PEFT on random weights: hidden states, features and the gradients towards A and B."""

import functools
import json
import os
import shutil
import subprocess

import adapter_peer
import numpy as np
import pytest
import torch
import transformers
from adapter_peer import assert_as_near, distance
from palimpsest.pack import pack_file
from tiers import quick

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HIDDEN_STATES = os.environ["PALIMPSEST_HIDDEN_STATES"]
VOCABULARY, LENGTHS, RANK = 60, (1, 2, 7, 7, 19, 40), 3
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 10}


def llama(**more):
    return functools.partial(transformers.LlamaConfig, **SMALL | more)


def rope(**settings):
    return {"rope_parameters": {"rope_theta": 500.0, **settings}}


FAMILY = {
    "llama": llama(),
    "llama, a key for every head": llama(num_key_value_heads=4, tie_word_embeddings=True),
    "llama, all biases": llama(attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5),
    "llama, heads wider than the model": llama(head_dim=20, num_key_value_heads=1),
    "llama3": llama(**rope(**LLAMA3)),
    "linear": llama(**rope(rope_type="linear", factor=3.0)),
    "yarn": llama(**rope(**YARN)),
    "yarn, its own ranges": llama(**rope(**YARN, beta_fast=8.0, beta_slow=2.0, attention_factor=1.3)),
    "mistral": functools.partial(transformers.MistralConfig, **SMALL, sliding_window=5),
    "mistral, no window": functools.partial(transformers.MistralConfig, **SMALL, sliding_window=None),
    "qwen2": functools.partial(transformers.Qwen2Config, **SMALL),
    "qwen2, windows above": functools.partial(transformers.Qwen2Config, **SMALL, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    "qwen3": functools.partial(transformers.Qwen3Config, **SMALL, head_dim=12),
}
TARGETS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj", "gate": "gate_proj", "up": "up_proj", "down": "down_proj"}
ALL = ",".join(TARGETS)


def random_model(name):
    """No weight is at zero or one."""
    torch.manual_seed(11)
    model = transformers.AutoModel.from_config(FAMILY[name]()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def texts():
    return [np.random.default_rng(n).integers(1, VOCABULARY, n).astype("<i4") for n in LENGTHS]


def write_pack(path, samples, vocabulary=VOCABULARY):
    pack = pack_file.Pack(
        vocabulary=vocabulary,
        classes=["only"],
        tokens=samples,
        labels=np.zeros(len(samples), dtype="<i4"),
        split=np.zeros(len(samples), dtype="u1"),
        source="{}",
    )
    pack_file.write_pack(path, pack)
    return path


def hidden_of(model, sample):
    return model(torch.tensor(sample[None].astype("int64")), use_cache=False).last_hidden_state[0]


def assert_agrees(model, folder, samples, path, tolerance=1e-4):
    pack = write_pack(path / "pack.h5", samples, model.config.vocab_size)
    subprocess.run([HIDDEN_STATES, folder, pack, str(len(samples)), path / "out"], check=True)
    ours = np.fromfile(path / "out", "<f4").reshape(-1, model.config.hidden_size)
    with torch.no_grad():
        theirs = np.concatenate([hidden_of(model, sample).numpy() for sample in samples])
    np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", quick(3, FAMILY))
def test_hidden_states_agree_with_transformers(name, tmp_path):
    model = random_model(name)
    model.save_pretrained(tmp_path / "model")
    assert_agrees(model, tmp_path / "model", texts(), tmp_path)


@pytest.mark.parametrize("name", quick(1, ["llama3", "linear", "yarn"]))
def test_rope_scaling_of_earlier_transformers_is_read_alike(name, tmp_path):
    model = random_model(name)
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    rotary = config.pop("rope_parameters")
    config |= {"rope_theta": rotary.pop("rope_theta"), "rope_scaling": rotary}
    if name == "linear":
        config["rope_scaling"]["type"] = config["rope_scaling"].pop("rope_type")
    path.write_text(json.dumps(config))
    assert_agrees(model, tmp_path / "model", texts(), tmp_path)


@pytest.mark.parametrize("dtype", quick(1, [torch.bfloat16, torch.float16]), ids=str)
def test_sharded_weights_in_half_precision_with_a_language_model_head(dtype, tmp_path):
    torch.manual_seed(5)
    model = transformers.AutoModelForCausalLM.from_config(FAMILY["llama"]()).to(dtype).eval()
    model.save_pretrained(tmp_path / "model", max_shard_size="20KB")
    assert (tmp_path / "model" / "model.safetensors.index.json").exists()
    assert_agrees(model.model.float(), tmp_path / "model", texts(), tmp_path)


def test_an_output_layer_beside_a_tied_embedding_must_be_the_same(tmp_path):
    torch.manual_seed(5)
    model = transformers.AutoModelForCausalLM.from_config(FAMILY["llama"]()).eval()
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tie_word_embeddings": True}))
    pack = write_pack(tmp_path / "pack.h5", texts())
    done = subprocess.run([HIDDEN_STATES, tmp_path / "model", pack, "1", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "tie_word_embeddings: expected false, since lm_head.weight and model.embed_tokens.weight differ, found true" in done.stderr
    with torch.no_grad():
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)
    model.save_pretrained(tmp_path / "same")
    shutil.copy(path, tmp_path / "same")
    assert_agrees(model.model, tmp_path / "same", texts(), tmp_path)


def test_smollm2_agrees_with_transformers(tmp_path):
    folder = os.path.join(ROOT, "data", "smollm2")
    if not os.path.exists(folder):
        pytest.skip("no data/smollm2: launch/setup.sh --smollm2, then palimpsest pack backbone smollm2 --out data/smollm2")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "What is the capital of France?"}], add_generation_prompt=True, return_tensors="pt")
    answer = model.generate(prompt["input_ids"], attention_mask=prompt["attention_mask"], max_new_tokens=10, do_sample=False)
    assert tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :]).startswith("The capital of France is Paris.")
    words = ["library", "Paris is the capital of France, and London is the capital of the United Kingdom. In 2024 it was 36 degrees."]
    samples = [np.asarray(tokenizer(text)["input_ids"], dtype="<i4") for text in words]
    with torch.no_grad():
        ids = torch.tensor(samples[1][None].astype("int64"))
        assert model(ids, labels=ids).loss < 2.6
    assert_agrees(model.model, folder, samples, tmp_path)


def factors_of(model, targets):
    """PEFT's A and B in the order of our layout: by canonical module name."""
    found = {}
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            module = name.split("model.")[-1].split(".lora_")[0]
            found[(module, "B" if "lora_B" in name else "A")] = parameter
    assert len(found) == 2 * len(targets) * SMALL["num_hidden_layers"]
    return [found[key] for key in sorted(found)]


def with_adapter(model, targets):
    return adapter_peer.with_adapter(model, [TARGETS[target] for target in targets], RANK, lambda adapted: factors_of(adapted, targets))


def theirs(model, targets, pooling, autocast=False):
    """Features, and one gradient for each factor."""
    rows = []
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        for sample in texts():
            hidden = hidden_of(model, sample).float()
            rows.append(hidden.mean(0) if pooling == "mean" else hidden[-1])
    features = torch.stack(rows)
    return [features.detach(), *torch.autograd.grad(features.pow(2).sum() / 2, factors_of(model, targets))]


def ours(folder, factors, targets, path, *options):
    pack = write_pack(path / "texts.h5", texts())
    return adapter_peer.gradients(folder, 0, targets, RANK, pack, factors, (len(LENGTHS), SMALL["hidden_size"]), path, *options)


@pytest.mark.parametrize("pooling", quick(1, ["last", "mean"]))
@pytest.mark.parametrize("name, targets", quick(2, [("llama", ALL), ("qwen3", "query,key"), ("qwen2, windows above", "key,value"), ("mistral", "gate"), ("yarn", ALL)]))
def test_features_and_gradients_are_those_of_peft(name, targets, pooling, tmp_path):
    targets = targets.split(",")
    model = random_model(name)
    model.save_pretrained(tmp_path / "model")
    model = with_adapter(model, targets)
    expected = theirs(model, targets, pooling)
    options = [pooling] if pooling == "mean" else []
    found = ours(tmp_path / "model", factors_of(model, targets), targets, tmp_path, *options)
    recomputed = ours(tmp_path / "model", factors_of(model, targets), targets, tmp_path, *options, "recompute")
    for ours_, theirs_ in zip(found, expected):
        assert distance(ours_, theirs_) < 1e-4
    assert all(torch.equal(*pair) for pair in zip(recomputed, found))


def test_bf16_is_as_near_to_fp32_as_pytorchs_autocast(tmp_path):
    targets = list(TARGETS)
    model = random_model("llama")
    model.save_pretrained(tmp_path / "model")
    model = with_adapter(model, targets)
    exact, rounded = (theirs(model, targets, "last", autocast) for autocast in (False, True))
    found = ours(tmp_path / "model", factors_of(model, targets), targets, tmp_path, "bf16")
    assert_as_near(found, rounded, exact)
