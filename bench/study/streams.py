"""The streams of the study: a configuration, how its data is made, and the schedules that the choice compares."""

import dataclasses

PACKER = (".venv/bin/python", "tools/palimpsest-pack")
DINOV2 = (*PACKER, "backbone", "dinov2-small", "--out", "data/dinov2-small")
# What the choice compares. The paper has lr 1e-3 and 5 epochs or more; more of them don't fit the processors that the study was made on.
LEARNING_RATES = (5e-4, 1e-3, 2e-3)
EPOCHS = (2, 5)


@dataclasses.dataclass(frozen=True)
class Stream:
    name: str
    title: str
    config: str  # a file of configs/
    pack: str
    backbone: str
    data: tuple  # commands that make pack and backbone, run in the repository's folder
    tasks: int
    classes_per_task: int
    train: int  # samples of each class; 0: all
    test: int  # the same
    choice_tasks: int  # the choice learns so many tasks
    settings: tuple = ()  # (name, value), of the study alone: they win over the configuration's

    def protocol_arguments(self, seed, **changes):
        """Of palimpsest pack protocol; another seed gives another class order. changes: tasks or test, where not the stream's."""
        sizes = {"tasks": self.tasks, "classes-per-task": self.classes_per_task, "train": self.train, "test": self.test, **changes}
        return ["--pack", self.pack, "--name", self.name, "--seed", str(seed), *(word for name, size in sizes.items() for word in (f"--{name}", str(size)))]


def images_of(size, **keys):
    """Smaller than the configuration has them: 14 x 14 pixels are a patch, and the time of a run grows with the patches."""
    return (("image-transform", ",".join([f"resize-crop:size={size}", *(f"{name}={value}" for name, value in keys.items())])),)


STREAMS = {
    stream.name: stream
    for stream in (
        Stream(
            "debian-sections-short", "sections of Debian packages, MiniLM", "debian-sections-short-pm-secant.cfg",
            "data/debian-sections.h5", "data/minilm", (("launch/data.sh", "debian-sections"),),
            tasks=9, classes_per_task=4, train=200, test=50, choice_tasks=4,
        ),
        Stream(
            "debian-sections", "sections of Debian packages with fewer texts a class, MiniLM", "quickstart.cfg",
            "data/debian-sections.h5", "data/minilm", (("launch/data.sh", "debian-sections"),),
            tasks=6, classes_per_task=6, train=60, test=50, choice_tasks=3,
        ),
        Stream(
            "openclipart", "clip art by folder, DINOv2 ViT-S/14", "openclipart.cfg",
            "data/openclipart.h5", "data/dinov2-small", (("launch/data.sh", "openclipart"),),
            tasks=10, classes_per_task=5, train=30, test=8, choice_tasks=4, settings=images_of(70),
        ),
        Stream(
            "fashion-mnist", "Fashion-MNIST, DINOv2 ViT-S/14", "fashion-mnist.cfg",
            "data/fashion-mnist.h5", "data/dinov2-small",
            (DINOV2, (*PACKER, "images", "/usr/share/datasets/fashion-mnist", "--out", "data/fashion-mnist.h5")),
            tasks=5, classes_per_task=2, train=100, test=100, choice_tasks=3, settings=images_of(56),
        ),
        Stream(
            "wordnet", "WordNet definitions, MPNet", "wordnet.cfg",
            "data/wordnet-mpnet.h5", "data/mpnet",
            (("launch/data.sh", "wordnet"), (*PACKER, "backbone", "mpnet", "--out", "data/mpnet"),
             (*PACKER, "wordnet", "--tokenizer", "data/mpnet", "--out", "data/wordnet-mpnet.h5")),
            tasks=11, classes_per_task=4, train=50, test=25, choice_tasks=3,
        ),
        Stream(
            "glyphs", "characters in fonts that the training samples don't have, DINOv2 ViT-S/14", "glyphs.cfg",
            "data/glyphs.h5", "data/dinov2-small", (("launch/data.sh", "glyphs"),),
            tasks=20, classes_per_task=5, train=30, test=10, choice_tasks=5, settings=images_of(56, crop=1),
        ),
    )
}  # fmt: skip
