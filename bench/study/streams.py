"""The streams of the study: a configuration, how its data is made, and the schedules that the choice compares."""

import dataclasses

PACKER = (".venv/bin/python", "tools/palimpsest-pack")
DINOV2 = (*PACKER, "backbone", "dinov2-small", "--out", "data/dinov2-small")
LEARNING_RATES = (5e-4, 1e-3, 2e-3)


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
    epochs: tuple  # that the choice compares: no run takes longer than half an hour of one core
    learning_rates: tuple = LEARNING_RATES

    def protocol_arguments(self, seed, test=None):
        """Of palimpsest-pack protocol; another seed gives another class order. test: samples of each class, where not the stream's."""
        sizes = {"tasks": self.tasks, "classes-per-task": self.classes_per_task, "train": self.train, "test": self.test if test is None else test}
        return ["--pack", self.pack, "--name", self.name, "--seed", str(seed), *(word for name, size in sizes.items() for word in (f"--{name}", str(size)))]


STREAMS = {
    stream.name: stream
    for stream in (
        Stream(
            "debian-sections-short", "sections of Debian's package index, MiniLM", "debian-sections-short-pm-secant.cfg",
            "data/debian-sections.h5", "data/minilm", (("launch/data.sh", "debian-sections"),),
            tasks=9, classes_per_task=4, train=200, test=50, epochs=(5, 10, 20),
        ),
        Stream(
            "debian-sections", "sections of Debian's package index with fewer texts of each, MiniLM", "quickstart.cfg",
            "data/debian-sections.h5", "data/minilm", (("launch/data.sh", "debian-sections"),),
            tasks=6, classes_per_task=6, train=60, test=50, epochs=(5, 10, 20),
        ),
        Stream(
            "openclipart", "folders of clip art, DINOv2 ViT-S/14", "openclipart.cfg",
            "data/openclipart.h5", "data/dinov2-small", (("launch/data.sh", "openclipart"),),
            tasks=10, classes_per_task=5, train=30, test=8, epochs=(5, 10),
        ),
        Stream(
            "fashion-mnist", "garments, DINOv2 ViT-S/14", "fashion-mnist.cfg",
            "data/fashion-mnist.h5", "data/dinov2-small",
            (DINOV2, (*PACKER, "images", "/usr/share/datasets/fashion-mnist", "--out", "data/fashion-mnist.h5")),
            tasks=5, classes_per_task=2, train=200, test=100, epochs=(2, 5),
        ),
        Stream(
            "wordnet", "definitions of WordNet, MPNet", "wordnet.cfg",
            "data/wordnet-mpnet.h5", "data/mpnet",
            (("launch/data.sh", "wordnet"), (*PACKER, "backbone", "mpnet", "--out", "data/mpnet"),
             (*PACKER, "wordnet", "--tokenizer", "data/mpnet", "--out", "data/wordnet-mpnet.h5")),
            tasks=11, classes_per_task=4, train=0, test=0, epochs=(2, 5),
        ),
        Stream(
            "glyphs", "characters in fonts that training doesn't show, DINOv2 ViT-S/14", "glyphs.cfg",
            "data/glyphs.h5", "data/dinov2-small", (("launch/data.sh", "glyphs"),),
            tasks=20, classes_per_task=5, train=30, test=20, epochs=(2, 5),
        ),
    )
}  # fmt: skip
