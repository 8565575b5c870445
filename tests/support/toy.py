"""A stream small enough for a test: a random two-block BERT, a pack of random texts and a protocol of four tasks."""

import json
import os
import sys

import numpy as np
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "pack"))
from palimpsest_pack import pack_file  # noqa: E402

CLASSES, TRAIN, TEST, VOCABULARY = 8, 20, 10, 64


def make_backbone(folder):
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
        initializer_range=0.3,
    )
    transformers.BertModel(config).save_pretrained(folder)


def make_pack(path, seed=1):
    """Classes differ in which token ids are frequent; texts have 3 to 12 tokens."""
    rng = np.random.default_rng(seed)
    tokens, labels, split = [], [], []
    for label in range(CLASSES):
        weights = rng.dirichlet(np.full(VOCABULARY, 0.3))
        for sample in range(TRAIN + TEST):
            tokens.append(rng.choice(VOCABULARY, size=rng.integers(3, 13), p=weights).astype("<i4"))
            labels.append(label)
            split.append(int(sample >= TRAIN))
    names = [f"class {label}" for label in range(CLASSES)]
    pack = pack_file.Pack(VOCABULARY, names, tokens, np.array(labels, "<i4"), np.array(split, "u1"), "{}")
    pack_file.write_pack(path, pack)


def make_protocol(path, **changes):
    tasks = [{"name": f"task {t + 1}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"]} for t in range(CLASSES // 2)]
    protocol = {
        "palimpsest_type": "protocol",
        "palimpsest_version": "1.0.0",
        "name": "toy",
        "order": "as listed",
        "train_per_class": TRAIN,
        "test_per_class": TEST,
        "tasks": tasks,
    } | changes
    with open(path, "w") as file:
        json.dump(protocol, file)


def make(folder):
    make_backbone(os.path.join(folder, "backbone"))
    make_pack(os.path.join(folder, "pack.h5"))
    make_protocol(os.path.join(folder, "protocol.json"))
    with open(os.path.join(folder, "toy.cfg"), "w") as file:
        for name, value in {
            "pack": os.path.join(folder, "pack.h5"),
            "protocol": os.path.join(folder, "protocol.json"),
            "backbone": os.path.join(folder, "backbone"),
            "epochs": 6,
            "batch": 30,  # 40 training samples a task: the second batch of a pass is short
            "lr": "1e-2",
            "lora-rank": 4,
            "lora-alpha": 4,
            "evaluation-batch": 8,
            "lanes": 4,
            "progress": "none",
        }.items():
            file.write(f"{name} = {value}\n")
