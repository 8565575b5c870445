"""The inputs of the works, made once below data/bench: backbones, packs, protocols."""

import importlib
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
BENCH = DATA / "bench"
SIDE, CLASSES, PER_CLASS = 224, 20, 24


def pack(*arguments):
    subprocess.run([sys.executable, ROOT / "tools" / "palimpsest-pack", *map(str, arguments)], check=True)


def make_debian_sections():
    """And MiniLM."""
    if not all((DATA / name).exists() for name in ("minilm/model.safetensors", "debian-sections.h5")):
        subprocess.run([ROOT / "launch" / "data.sh", "debian-sections"], check=True)


def make_instructions():
    """And SmolLM2."""
    if not all((DATA / name).exists() for name in ("smollm2/model.safetensors", "instructions.h5")):
        subprocess.run([ROOT / "launch" / "setup.sh", "--smollm2"], check=True)
        subprocess.run([ROOT / "launch" / "data.sh", "instructions"], check=True)


def make_dinov2():
    """ViT-S/14 for timm and for transformers, with the places resized as timm and palimpsest do: transformers
    resizes them in another way, and in every forward pass."""
    folders = {dialect: BENCH / f"vit-small-14-{dialect}" for dialect in ("timm", "hf")}
    if (folders["hf"] / "model.safetensors").exists():
        return
    import timm
    import torch
    import transformers

    whole = BENCH / "vit-small-14-whole"
    pack("backbone", "dinov2-small", "--dialect", "timm", "--out", folders["timm"])
    pack("backbone", "dinov2-small", "--dialect", "hf", "--out", whole)
    model = timm.create_model(f"local-dir:{folders['timm']}", pretrained=True, num_classes=0, img_size=SIDE)
    theirs = transformers.Dinov2Model.from_pretrained(whole)
    theirs.embeddings.position_embeddings = torch.nn.Parameter(model.pos_embed.detach().clone())
    theirs.config.image_size = SIDE
    theirs.save_pretrained(folders["hf"])
    transformers.AutoImageProcessor.from_pretrained(whole).save_pretrained(folders["hf"])


def make_vit_base():
    """ViT-B/16 with random weights, as timm and as transformers store it."""
    if (BENCH / "vit-base-16-hf" / "model.safetensors").exists():
        return
    import timm
    import torch
    import transformers
    from timm.models import save_for_hf

    torch.manual_seed(1)
    model = timm.create_model("vit_base_patch16_224", num_classes=0).eval()
    save_for_hf(model, BENCH / "vit-base-16-timm", safe_serialization=True)
    config = transformers.ViTConfig(layer_norm_eps=1e-6)
    theirs = transformers.ViTModel(config, add_pooling_layer=False)
    theirs.load_state_dict(transformers_names(model.state_dict()), strict=True)
    theirs.save_pretrained(BENCH / "vit-base-16-hf")
    colours = model.pretrained_cfg
    processor = transformers.ViTImageProcessor(image_mean=colours["mean"], image_std=colours["std"])
    processor.save_pretrained(BENCH / "vit-base-16-hf")


def transformers_names(weights):
    """timm's tensors by the names that transformers' ViT has in memory; query, key and value apart."""
    names = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "norm": "layernorm",
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "attn.proj": "attention.o_proj",
        "mlp.fc1": "mlp.fc1",
        "mlp.fc2": "mlp.fc2",
    }
    renamed = {}
    for name, tensor in weights.items():
        place, _, kind = name.rpartition(".") if "." in name else (name, "", "")
        prefix = ""
        if place.startswith("blocks."):
            _, block, place = place.split(".", 2)
            prefix = f"layers.{block}."
        ending = f".{kind}" if kind else ""
        if place == "attn.qkv":
            for part, rows in zip("qkv", tensor.chunk(3)):
                renamed[f"{prefix}attention.{part}_proj{ending}"] = rows.contiguous()
        else:
            renamed[f"{prefix}{names[place]}{ending}"] = tensor
    return renamed


def make_images():
    """Seeded images: a class is a colour and a pattern's wavelengths, an image shifts it and adds noise."""
    if (BENCH / "pictures.h5").exists():
        return
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(1)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    for number in range(CLASSES):
        colour, wave = random.uniform(40, 215, 3), random.uniform(0.02, 0.3, 2)
        for side, count in (("train", PER_CLASS), ("test", 2)):
            folder = BENCH / "pictures" / side / f"class-{number:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                pattern = np.sin(wave[0] * x + random.uniform(0, 6)) * np.cos(wave[1] * y + random.uniform(0, 6))
                noise = random.normal(0, 20, (SIDE, SIDE, 3))
                pixels = np.clip(colour + 60 * pattern[:, :, None] + noise, 0, 255).astype("uint8")
                Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    pack("images", BENCH / "pictures", "--out", BENCH / "pictures.h5")


def make_random_vit(folder, side, shape):
    """A vision transformer with random weights, as timm stores it; `shape`: what is another than in ViT-B/16."""
    if (folder / "model.safetensors").exists():
        return
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(1)
    shape = {"img_size": side, **shape}
    model = timm.create_model("vit_base_patch16_224", num_classes=0, **shape).eval()
    save_for_hf(model, folder, model_args=shape, safe_serialization=True)


def make_pixels(path, side, classes, train, test):
    """A pack of raw pixels: a class is a colour, an image adds noise. Thousands of images a second."""
    if path.exists():
        return
    import numpy as np

    pack_file = pack_modules("pack_file")
    random = np.random.default_rng(1)
    colours = random.uniform(70, 185, (classes, 3))
    noise = random.normal(0, 25, (64, side, side, 3)).astype("f4")
    labels = np.repeat(np.arange(classes, dtype="<i4"), train + test)

    def sample(i):
        return np.clip(colours[labels[i]] + noise[random.integers(64)], 0, 255).astype("u1").tobytes()

    samples = [sample(i) for i in range(len(labels))]
    index = pack_file.PackIndex(
        kind="pixels",
        classes=[f"class {label:03d}" for label in range(classes)],
        offsets=pack_file.offsets_of(map(len, samples)),
        shape=np.full((len(labels), 3), (side, side, 3), dtype="<i8"),
        crc32c=np.array([pack_file.crc32c(data) for data in samples], dtype="<u4"),
        labels=labels,
        split=np.tile(np.repeat([pack_file.TRAIN, pack_file.TEST], (train, test)).astype("u1"), classes),
        source="{}",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pack_file.write_samples(path, index, samples)


def pack_modules(name):
    """A module of palimpsest pack."""
    sys.path.insert(0, str(ROOT / "tools" / "python"))
    return importlib.import_module(f"palimpsest.pack.{name}")


def make_protocol(path, source, tasks, classes, train, test):
    if path.exists():
        return
    sizes = ["--tasks", tasks, "--classes-per-task", classes, "--train", train, "--test", test]
    pack("protocol", "--pack", source, "--name", path.stem, "--seed", 1, *sizes, "--out", path)


def make(works):
    """What these works need."""
    BENCH.mkdir(parents=True, exist_ok=True)
    makers = {"minilm": [make_debian_sections], "vit-small-14": [make_dinov2, make_images]}
    makers |= {"smollm2": [make_instructions], "vit-base-16": [make_vit_base, make_images]}
    for work in works:
        for maker in makers[work.backbone]:
            maker()
        make_protocol(work.protocol, work.pack, *work.sizes)


def hashes(works):
    """Of the packs, as their files name it."""
    import h5py

    found = {}
    for path in {work.pack for work in works}:
        with h5py.File(path) as file:
            value = file.attrs["content_sha256"]
            found[path.name] = value.decode() if isinstance(value, bytes) else str(value)
    return found
