"""palimpsest merge and the other tools on adapters that PEFT itself has made."""

import json
import os
import subprocess

import h5py
import numpy as np
import peft
import torch
import transformers

TOOLS = os.path.dirname(os.environ["PALIMPSEST_INSPECT"])
TARGETS = ["query", "value"]


def tool(name, *arguments, code=0):
    done = subprocess.run([os.path.join(TOOLS, f"palimpsest-{name}"), *map(str, arguments)],
                          capture_output=True, text=True, timeout=60)
    text = done.stdout + done.stderr
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{text}"
    return text


def by_module(group):
    return {name: group[name][:].astype("f8") for name in sorted(group)}


def weights_of(path):
    with h5py.File(path) as file:
        return by_module(file["weights"])


def expect_close(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert np.linalg.norm(found[name] - values) <= tolerance * np.linalg.norm(values), name


def make_adapter(folder, seed, **changes):
    """A LoRA adapter with random B on a two-block BERT, saved by PEFT; returns its Deltas by module as PEFT has them."""
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                     intermediate_size=32, max_position_embeddings=16)
    base = transformers.BertModel(config)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": TARGETS, "init_lora_weights": "gaussian"} | changes
    model = peft.get_peft_model(base, peft.LoraConfig(**settings))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    model.peft_config["default"].base_model_name_or_path = "someone/tiny-bert"
    model.save_pretrained(folder)
    return {name.removeprefix("base_model.model."): module.get_delta_weight("default").detach().double().numpy()
            for name, module in model.named_modules() if hasattr(module, "get_delta_weight")}


def change_config(folder, **changes):
    path = os.path.join(folder, "adapter_config.json")
    with open(path) as file:
        config = json.load(file) | changes
    with open(path, "w") as file:
        json.dump(config, file)
