"""What is measured: each work is one training task or stream that all contenders do, with the same settings."""

import dataclasses
import pathlib

from .inputs import BENCH, DATA

TUNED = {  # what helped palimpsest, for the peers: an allocator that keeps its memory, and one thread
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_NUM_THREADS": "1",
}


@dataclasses.dataclass(frozen=True)
class Work:
    name: str
    title: str
    backbone: str  # minilm, smollm2, vit-small-14 or vit-base-16
    pack: pathlib.Path
    sizes: tuple  # of the protocol: tasks, classes in each, training and test samples of each
    settings: dict  # of `palimpsest train` and of the peers alike
    quick: dict  # what is another with `quick`
    contenders: tuple
    skip: int = 2  # steps at the start that aren't counted
    has_hf: bool = True  # whether the backbone is there with transformers' names too, which ours then reads
    most_seconds: float | None = None  # for each run
    predicts_tokens: bool = False  # completions of prompts; else classes

    @property
    def protocol(self):
        return BENCH / f"{self.name}.json"


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    program: str  # palimpsest, ddp.py, peft_trainer.py or peft_language.py
    ranks: int = 2
    flags: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)
    needs_bf16: bool = False
    is_long: bool = False  # compiles for a minute: left out of `quick`

    @property
    def is_ours(self):
        return self.program == "palimpsest"


LANES = Contender("lanes", "palimpsest", flags=("--lanes", "2"))
LANES_SMALL = Contender("lanes small", "palimpsest", flags=("--lanes", "2", "--shard-memory", "--activation-checkpointing"))
LANES_RANKS = Contender("lanes ranks", "palimpsest", flags=("--lanes", "ranks"))
ONE_RANK = Contender("one rank", "palimpsest", ranks=1, flags=("--lanes", "2"))
UNPERTURBED = Contender("unperturbed", "palimpsest", flags=("--lanes", "2", "--perturbation", "none"))
LANES_BF16 = Contender("lanes bf16", "palimpsest", flags=("--lanes", "2", "--precision", "bf16"), needs_bf16=True)
DDP = Contender("ddp", "ddp.py")
PEFT = Contender("peft", "peft_trainer.py")
DDP_TUNED = Contender("ddp tuned", "ddp.py", flags=("--onednn", "--fused"), environment=TUNED)
PEFT_TUNED = Contender("peft tuned", "peft_trainer.py", flags=("--onednn", "--fused"), environment=TUNED)
DDP_BF16 = Contender("ddp bf16", "ddp.py", flags=("--fused", "--precision", "bf16"), environment=TUNED, needs_bf16=True)
PEFT_BF16 = Contender(
    "peft bf16", "peft_trainer.py", flags=("--fused", "--precision", "bf16"), environment=TUNED, needs_bf16=True
)

DDP_COMPILED = Contender("ddp compiled", "ddp.py", flags=("--fused", "--compile"), environment=TUNED, is_long=True)
PEFT_COMPILED = Contender("peft compiled", "peft_trainer.py", flags=("--fused", "--compile"), environment=TUNED, is_long=True)

LANGUAGE = Contender("peft", "peft_language.py")
LANGUAGE_TUNED = Contender("peft tuned", "peft_language.py", flags=("--packed", "--onednn", "--fused"), environment=TUNED)
LANGUAGE_BF16 = Contender(
    "peft bf16",
    "peft_language.py",
    flags=("--packed", "--fused", "--precision", "bf16"),
    environment=TUNED,
    needs_bf16=True,
)

ON_IMAGES = (LANES, DDP, LANES_RANKS, PEFT, DDP_TUNED, PEFT_TUNED)

TEXTS = {"batch": 16, "lr": 4e-3, "head-lr": 1e-2}
IMAGES = {"lr": 1e-3, "head-lr": 1e-2, "image-size": 224}

WORKS = (
    Work(
        "minilm",
        "MiniLM, sections of Debian packages",
        "minilm",
        DATA / "debian-sections.h5",
        (1, 6, 60, 4),
        {**TEXTS, "epochs": 2},
        {"epochs": 1},
        (
            *(LANES, DDP, LANES_RANKS, PEFT, UNPERTURBED, DDP_TUNED, ONE_RANK, PEFT_TUNED),
            *(DDP_COMPILED, LANES_BF16, DDP_BF16, PEFT_BF16),
        ),
        skip=5,
    ),
    Work(
        "smollm2",
        "SmolLM2-135M, prompts and completions",
        "smollm2",
        DATA / "instructions.h5",
        (1, 1, 256, 16),
        {"batch": 32, "lr": 1e-3, "epochs": 1},
        {},
        (LANES, LANGUAGE, LANGUAGE_TUNED, LANES_SMALL, LANES_BF16, LANGUAGE_BF16),
        predicts_tokens=True,
    ),
    Work(
        "vit-small-14",
        "ViT-S/14 (DINOv2), 224 px",
        "vit-small-14",
        BENCH / "pictures.h5",
        (1, 4, 8, 1),
        {**IMAGES, "batch": 8, "epochs": 1},
        {},
        ON_IMAGES,
        skip=1,
    ),
    Work(
        "vit-base-16",
        "ViT-B/16, 224 px",
        "vit-base-16",
        BENCH / "pictures.h5",
        (1, 4, 4, 1),
        {**IMAGES, "batch": 4, "epochs": 1},
        {},
        ON_IMAGES,
        skip=1,
    ),
    Work(
        "stream",
        "MiniLM, a stream of three tasks",
        "minilm",
        DATA / "debian-sections.h5",
        (3, 6, 30, 10),
        {**TEXTS, "epochs": 4, "merge": "closed-form"},
        {"tasks": 1, "epochs": 2},
        (LANES, DDP, LANES_RANKS, DDP_TUNED),
    ),
    Work(
        "merge",
        "ViT-B/16, merging",
        "vit-base-16",
        BENCH / "pictures.h5",
        (10, 2, 1, 1),
        {**IMAGES, "batch": 2, "epochs": 1, "tasks": 3, "merge": "closed-form"},
        {"tasks": 2},
        (LANES,),
        skip=0,
    ),
)
