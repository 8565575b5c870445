"""A stream small enough for a test: a random two-block BERT, a pack of random texts and a protocol of four tasks.

The same with an MPNet; and with images: a random two-block vision transformer and a pack of noise with stripes.
"""

import json
import os
import struct
import subprocess
import sys

import h5py
import numpy as np
import safetensors.torch
import timm
import torch
import transformers
from palimpsest.pack import pack_file

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CLASSES, TRAIN, TEST, VOCABULARY = 8, 20, 10, 64


def make_backbone(folder, hidden=32, layers=2, vocabulary=VOCABULARY, positions=32):
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * hidden,
        max_position_embeddings=positions,
        initializer_range=0.3,
    )
    transformers.BertModel(config).save_pretrained(folder)


def make_decoder_backbone(folder, vocabulary=VOCABULARY, positions=32):
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=positions,
        initializer_range=0.3,
        tie_word_embeddings=True,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)


def make_mpnet_backbone(folder):
    torch.manual_seed(1)
    config = transformers.MPNetConfig(vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                                      intermediate_size=128, max_position_embeddings=34, initializer_range=0.3)
    transformers.MPNetModel(config).save_pretrained(folder)


def in_mpnet(module):
    """A canonical module name as MPNet of transformers has it."""
    for ours, theirs in (("self.query", "attn.q"), ("self.key", "attn.k"), ("self.value", "attn.v"), ("attention.output.dense", "attention.attn.o")):
        module = module.replace(ours, theirs)
    return module


def make_pack(path, seed=1, train=TRAIN, test=TEST, classes=CLASSES, only=None, first=0):
    """Classes differ in which token ids, from `first` on, are frequent; texts have 3 to 12 tokens. `only`: the classes that are kept (all)."""
    only = range(classes) if only is None else only
    rng = np.random.default_rng(seed)
    tokens, labels, split = [], [], []
    for label in range(classes):
        weights = rng.dirichlet(np.full(VOCABULARY - first, 0.3))
        for sample in range(train + test):
            text = (first + rng.choice(VOCABULARY - first, size=rng.integers(3, 13), p=weights)).astype("<i4")
            if label not in only:
                continue
            tokens.append(text)
            labels.append(only.index(label))
            split.append(int(sample >= train))
    names = [f"class {label}" for label in only]
    pack = pack_file.Pack(VOCABULARY, names, tokens, np.array(labels, "<i4"), np.array(split, "u1"), "{}")
    pack_file.write_pack(path, pack)


END = 1  # the token that ends a completion of the toy sequences


def toy_sequences(seed=1, train=TRAIN, test=TEST, groups=4):
    """(group, whether it is a test sample, token ids, [(begin, end)]): prompts of 2 to 9 tokens, the completion their last ones moved by 1 + 2 * group.

    Every fifth sample has two completions; every seventh a completion of the end alone.
    """
    rng = np.random.default_rng(seed)
    for group in range(groups):
        for sample in range(train + test):
            ids, completions = [], []
            for _ in range(2 if sample % 5 == 4 else 1):
                prompt = rng.integers(2, 12, size=rng.integers(2, 10))
                answer = [] if sample % 7 == 6 else [int(2 + (token - 2 + 1 + 2 * group) % 10) for token in prompt[-rng.integers(1, 3) :]]
                begin = len(ids) + len(prompt)
                ids += [*map(int, prompt), *answer, END]
                completions.append((begin, len(ids)))
            yield group, sample >= train, ids, completions


def make_sequences_pack(path, **sizes):
    write_sequences(path, list(toy_sequences(**sizes)))


def write_sequences(path, samples):
    """A pack of what toy_sequences() gives."""
    blocks = [np.array(ids, "<i4").tobytes() for _, _, ids, _ in samples]
    index = pack_file.PackIndex(
        kind="sequences",
        classes=[f"move {1 + 2 * group}" for group in range(max(sample[0] for sample in samples) + 1)],
        offsets=pack_file.offsets_of(map(len, blocks)),
        shape=np.array([[len(ids)] for _, _, ids, _ in samples], "<i8"),
        crc32c=np.array([pack_file.crc32c(block) for block in blocks], "<u4"),
        labels=np.array([group for group, *_ in samples], "<i4"),
        split=np.array([is_test for _, is_test, *_ in samples], "u1"),
        source="{}",
        vocabulary=VOCABULARY,
        completions=np.array([pair for *_, completions in samples for pair in completions], "<i8"),
        completion_offsets=pack_file.offsets_of(len(completions) for *_, completions in samples),
    )
    pack_file.write_samples(path, index, blocks)


def make_protocol(path, classes=CLASSES, **changes):
    tasks = [{"name": f"task {t + 1}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"]} for t in range(classes // 2)]
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


def make_vision_backbone(folder, side, patch=8):
    torch.manual_seed(1)
    model = timm.create_model("vit_tiny_patch16_224", img_size=side, patch_size=patch, embed_dim=32, depth=2, num_heads=2, num_classes=0)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    os.makedirs(folder)
    safetensors.torch.save_file(model.state_dict(), os.path.join(folder, "model.safetensors"))
    config = {"architecture": "vit_tiny_patch16_224", "model_args": {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_size": patch},
              "pretrained_cfg": {"input_size": [3, side, side], "num_classes": 0}}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)


def make_idx_files(folder, side, classes=CLASSES, train=TRAIN, test=TEST):
    """Images as the MNIST family has them; classes differ in the period of their stripes."""
    rng = np.random.default_rng(1)
    os.makedirs(folder)
    for split, count in (("train", train), ("t10k", test)):
        labels = np.repeat(np.arange(classes, dtype="u1"), count)
        stripes = np.array([np.sin(np.arange(side) * (label + 1) / 3) for label in labels])
        pixels = np.clip(128 + 60 * stripes[:, None, :] + rng.normal(0, 40, (len(labels), side, side)), 0, 255).astype("u1")
        for name, array in ((f"{split}-images-idx3-ubyte", pixels), (f"{split}-labels-idx1-ubyte", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            with open(os.path.join(folder, name), "wb") as file:
                file.write(header + array.tobytes())


def make_image_pack(path, folder, side, classes=CLASSES, train=TRAIN, test=TEST):
    make_idx_files(folder, side, classes, train, test)
    command = [sys.executable, os.path.join(ROOT, "tools", "palimpsest-pack"), "images", folder, "--out", path]
    subprocess.run(command, check=True, capture_output=True)


def write_config(path, settings):
    with open(path, "w") as file:
        for name, value in settings.items():
            file.write(f"{name} = {value}\n")


def settings(folder):
    return {
        "pack": os.path.join(folder, "pack.h5"),
        "protocol": os.path.join(folder, "protocol.json"),
        "backbone": os.path.join(folder, "backbone"),
        "epochs": 6,
        "batch": 30,  # 40 training samples a task: the second batch of a pass is short
        "lr": "1e-2",
        "adapter": "lora:rank=4,alpha=4",
        "evaluation-batch": 8,
        "lanes": 4,
        "progress": "none",
    }


def make(folder):
    make_backbone(os.path.join(folder, "backbone"))
    make_pack(os.path.join(folder, "pack.h5"))
    make_protocol(os.path.join(folder, "protocol.json"))
    write_config(os.path.join(folder, "toy.cfg"), settings(folder))


def make_sequences(folder):
    """Four tasks of prompts with completions, for a decoder."""
    make_decoder_backbone(os.path.join(folder, "backbone"))
    make_sequences_pack(os.path.join(folder, "pack.h5"))
    tasks = [{"name": f"task {t + 1}", "classes": [f"move {1 + 2 * t}"]} for t in range(4)]
    make_protocol(os.path.join(folder, "protocol.json"), tasks=tasks)
    of_tokens = {"objective": "next-token", "head": "output", "classifier": "none", "batch": 15, "epochs": 16, "lr": "3e-2"}
    of_tokens["adapter"] = "lora:rank=4,alpha=4,targets=query+key+value+output+gate+up+down"
    write_config(os.path.join(folder, "toy.cfg"), settings(folder) | of_tokens)


def make_mpnet(folder):
    make_mpnet_backbone(os.path.join(folder, "backbone"))
    make_pack(os.path.join(folder, "pack.h5"), first=2)  # 1 is the padding token, which no text has
    make_protocol(os.path.join(folder, "protocol.json"))
    write_config(os.path.join(folder, "toy.cfg"), settings(folder) | {"epochs": 3})


def make_vision(folder):
    side = 32
    make_vision_backbone(os.path.join(folder, "backbone"), side)
    make_image_pack(os.path.join(folder, "pack.h5"), os.path.join(folder, "images"), side)
    with h5py.File(os.path.join(folder, "pack.h5")) as file:
        names = [name.decode().rstrip("\0") for name in file["classes"]]
    tasks = [{"name": f"task {t + 1}", "classes": names[2 * t : 2 * t + 2]} for t in range(CLASSES // 2)]
    make_protocol(os.path.join(folder, "protocol.json"), tasks=tasks)
    write_config(os.path.join(folder, "toy.cfg"), settings(folder) | {"image-transform": f"resize-crop:size={side}", "epochs": 2, "augmentation": "crop-flip:min-scale=0.5"})
