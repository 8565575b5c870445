"""python -m measure.gpu, from bench/: one GPU, palimpsest against PyTorch. Called by `bench/run.sh gpu`."""

import argparse
import dataclasses
import datetime
import itertools
import pathlib
import sys
import time

from . import contest, gemm, inputs, machine, operations, outcomes, process, table
from .figure import Figure, Row
from .inputs import BENCH, ROOT
from .works import Contender, Work

GROUPS = 4  # of a run's steps; a figure is the median over them
MOST_SECONDS = 480  # a goal: for everything, set-up and build included; what is left when it is over is not measured
TRAINING = {"lr": 1e-3, "head-lr": 1e-2, "precision": "bf16"}

OURS = Contender("palimpsest", "palimpsest", 1, ("--lanes", "1"))
PLAIN = Contender("plain LoRA", "palimpsest", 1, (*OURS.flags, "--perturbation", "none", "--merge", "none"))
AUGMENTED = Contender("augmented", "palimpsest", 1, (*OURS.flags, "--augmentation", "crop-flip"))
EAGER = Contender("ddp", "ddp.py", 1)
COMPILED = Contender("ddp compiled", "ddp.py", 1, ("--compile",))


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large all is: FULL, or SMALL enough for a rehearsal on the processor."""

    name: str
    device: str
    title: str
    shape: operations.Shape
    arguments: dict  # of timm, where they are others than of ViT-B/16
    side: int
    batch: int
    images: tuple  # classes, training and test samples of each
    epochs: int
    stream: tuple  # tasks, classes of each, training and test samples of each class
    stream_side: int  # of its images, which the model sees at `side`
    stream_epochs: int
    compared_tasks: int  # of the stream, that plain LoRA learns too
    products: tuple
    skip: int  # steps at the start that aren't counted

    @property
    def backbone(self):
        return f"{self.name}-vit"


FULL = Scale(
    name="gpu",
    device="cuda",
    title="ViT-B/16, 224 px, batch 256, bf16",
    shape=operations.SHAPES["vit-base-16"],
    arguments={},
    side=224,
    batch=256,
    images=(4, 512, 4),
    epochs=8,
    stream=(10, 10, 500, 100),
    stream_side=32,
    stream_epochs=5,
    compared_tasks=3,
    products=((8192, 8192, 8192), (4096, 4096, 4096), (50432, 768, 3072), (50432, 3072, 768), (50432, 768, 2304)),
    skip=16,
)
SMALL = Scale(
    name="rehearsal",
    device="cpu",
    title="A tiny vision transformer, 32 px, batch 8, bf16",
    shape=operations.Shape(64, 256, 2, 8),
    arguments={"patch_size": 8, "embed_dim": 64, "depth": 2, "num_heads": 2},
    side=32,
    batch=8,
    images=(4, 20, 4),
    epochs=3,
    stream=(3, 2, 20, 4),
    stream_side=16,
    stream_epochs=2,
    compared_tasks=2,
    products=((256, 256, 256),),
    skip=4,
)


def speed_work(scale):
    classes, train, test = scale.images
    settings = {**TRAINING, "image-size": scale.side, "batch": scale.batch, "epochs": scale.epochs}
    return Work(
        f"{scale.name}-speed",
        scale.title,
        scale.backbone,
        BENCH / f"{scale.name}-pictures.h5",
        (1, classes, train, test),
        settings,
        {},
        (),
        skip=scale.skip,
        has_hf=False,
        most_seconds=180,
    )


def stream_work(scale):
    settings = {"image-size": scale.side, "batch": scale.batch, "epochs": scale.stream_epochs, "augmentation": "crop-flip"}
    tasks, classes, train, test = scale.stream
    return Work(
        f"{scale.name}-stream",
        f"A stream of {tasks} tasks of {classes * train:,} images, {scale.stream_epochs} epochs",
        scale.backbone,
        BENCH / f"{scale.name}-stream.h5",
        scale.stream,
        {**TRAINING, **settings, "merge": "closed-form", "evaluation-batch": scale.batch},
        {},
        (),
        has_hf=False,
        most_seconds=310,
    )


def make_inputs(scale):
    inputs.make_random_vit(BENCH / f"{scale.backbone}-timm", scale.side, scale.arguments)
    for work, side in ((speed_work(scale), scale.side), (stream_work(scale), scale.stream_side)):
        tasks, classes, train, test = work.sizes
        inputs.make_pixels(work.pack, side, tasks * classes, train, test)
        if not work.protocol.exists():
            protocol = inputs.pack_modules("protocol")
            index, digest = inputs.pack_modules("pack_file").read_pack(work.pack)
            protocol.write_protocol(work.protocol, protocol.make_protocol(index, digest, work.name, *work.sizes, seed=1))


class Runs:
    """The runs of a call: what each gave, and which failed. `end`: time after which none runs."""

    def __init__(self, scale, end):
        self.scale, self.end = scale, end
        self.results, self.failed, self.seconds = {}, {}, {}

    def take(self, work, contender, settings=None):
        name = f"{work.name}, {contender.name}"
        began = time.time()
        work = dataclasses.replace(work, most_seconds=round(min(work.most_seconds, max(1, self.end - began))))
        try:
            self.results[work.name, contender.name] = contest.run(
                work, contender, {**work.settings, **(settings or {})}, self.scale.device
            )
        except (process.Failed, OSError, LookupError, ValueError) as error:
            log = contest.folders(work, contender)[1] / "log"
            self.failed[name] = {"error": str(error), "log": log.read_text(errors="replace")[-6000:] if log.exists() else ""}
        self.seconds[name] = round(time.time() - began, 1)
        print(f"{name}: {self.failed[name]['error'] if name in self.failed else 'done'}, {self.seconds[name]} s", flush=True)

    def of(self, work, *contenders):
        """The results, or None where one of them is missing."""
        found = [self.results.get((work.name, contender.name)) for contender in contenders]
        return None if None in found else found


def speed(result, skip):
    """Training samples a second by the clock: over groups of consecutive steps, all between them included."""
    times, samples = result["step_times"], result["samples"]
    edges = [skip - 1 + (len(times) - skip) * group // GROUPS for group in range(GROUPS + 1)]
    return Figure.of(sum(samples[a + 1 : b + 1]) / (times[b] - times[a]) for a, b in itertools.pairwise(edges))


def speed_rows(runs, scale, rates):
    work = speed_work(scale)
    for peer, goal in ((EAGER, 2.0), (COMPILED, 1.15)):
        if found := runs.of(work, OURS, peer):
            mine, other = (speed(result, scale.skip) for result in found)
            ratio = mine.median / other.median
            yield Row(f"{work.title}: training, against {peer.name}", "samples/s", mine, other, peer.name, ratio, goal, "times", True)
    if found := runs.of(work, OURS):
        cost = operations.of_image(scale.shape, scale.side) * 1e-12
        figure = speed(found[0], scale.skip)
        mine = Figure(*(cost * value for value in (figure.median, figure.least, figure.greatest)))
        name = max(rates, key=rates.get)
        best = Figure.of([rates[name] * 1e-12])
        share = mine.median / best.median
        title = f"{work.title}: share of the best matrix product"
        yield Row(title, "TFLOP/s", mine, best, name, share, 0.5, "percent", True)
    for contender, title in ((AUGMENTED, "augmentation in the step time"), (OURS, "the perturbation in the step time")):
        base = PLAIN if contender is OURS else OURS
        if found := runs.of(work, contender, base):
            slow, fast = (milliseconds(speed(result, scale.skip), scale.batch) for result in found)
            name = "plain LoRA" if base is PLAIN else "without"
            cost = slow.median / fast.median - 1
            yield Row(f"{work.title}: {title}", "ms a step", slow, fast, name, cost, 0.02, "percent", False, offset=1.0)


def milliseconds(figure, batch):
    return Figure(*(1000 * batch / value for value in (figure.median, figure.greatest, figure.least)))


def stream_rows(runs, scale):
    work = stream_work(scale)
    if found := runs.of(work, OURS):
        wall = Figure.of([found[0]["wall"]])
        yield Row(f"{work.title}: wall time", "s", wall, None, "", wall.median, 300, "s", False)
    if found := runs.of(work, OURS, PLAIN):
        first = scale.compared_tasks
        ours, plain = (Figure.of([result["task_times"][first] - result["task_times"][0]]) for result in found)
        cost = ours.median / plain.median - 1
        title = f"Perturb-and-Merge over plain LoRA, all of the stream's first {first} tasks"
        yield Row(title, "s", ours, plain, "plain LoRA", cost, 0.02, "percent", False, offset=1.0)


def loss_lines(runs, scale):
    """Whether all did the same work: (contender, first loss, mean of the last quarter, greatest difference to ours)."""
    work = speed_work(scale)
    if not (found := runs.of(work, OURS)):
        return
    for contender in (OURS, EAGER, COMPILED):
        if other := runs.of(work, contender):
            losses = other[0]["losses"]
            tail = losses[-max(1, len(losses) // 4) :]
            difference = max(abs(a - b) for a, b in zip(found[0]["losses"], losses))
            yield contender.name, losses[0], sum(tail) / len(tail), difference


def texts(about, rows, losses):
    """Of both pages: figures, goals."""
    machine_, tests = about["machine"], about["test_counts"]
    counts = f"{tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped" if tests else "not measured"
    head = (
        f"Measured on {about['date']} at commit {machine_['commit']}: {machine_.get('gpu') or machine_['processor']}, "
        f"driver {machine_.get('driver', 'none')}, CUDA {machine_['cuda']}, torch {machine_['torch']}, timm {machine_['timm']}. "
        f"Tests: {counts}."
    )
    notes = [f"Failed: {name}; the JSON has the end of its output." for name in about["failed"]]
    losses_table = [
        "| contender | first loss | mean loss of the last quarter | greatest difference to palimpsest |",
        "|---|---|---|---|",
        *(f"| {name} | {first:.5f} | {last:.5f} | {difference:.1e} |" for name, first, last, difference in losses),
    ]
    return table.figures_text(head, rows, notes), table.goals_text(head, rows, losses_table)


def whole_row(stages):
    """Without set-up and build, which a call of this module alone doesn't know, there is no goal."""
    whole = Figure.of([sum(stages.values())])
    if set(stages) == {"measuring"}:
        return Row("The measurements, without set-up and build", "s", whole, None, "", whole.median, None, "s", False)
    return Row("Everything, set-up and build included", "s", whole, None, "", whole.median, MOST_SECONDS, "s", False)


def arguments():
    parser = argparse.ArgumentParser(prog="measure.gpu")
    parser.add_argument("--rehearse", action="store_true", help="on the processor, tiny: to see that it runs")
    parser.add_argument("--only-inputs", action="store_true", help="make the inputs, measure nothing")
    parser.add_argument("--seconds", type=int, default=MOST_SECONDS, help="for everything, with what came before")
    parser.add_argument("--tests", type=pathlib.Path, help="ctest's JUnit file")
    parser.add_argument("--stages", nargs="*", default=[], metavar="NAME=SECONDS", help="what came before")
    return parser.parse_args()


def measure(scale, end):
    """The most important first."""
    runs, speed_, stream = Runs(scale, end), speed_work(scale), stream_work(scale)
    rates = gemm.device_rate(scale.device, scale.products)
    for contender in (OURS, EAGER, COMPILED, PLAIN):
        runs.take(speed_, contender)
    runs.take(stream, OURS)
    runs.take(stream, PLAIN, {"tasks": scale.compared_tasks})
    runs.take(speed_, AUGMENTED)
    return runs, rates


def main():
    process.end_on_signals()
    options = arguments()
    scale = SMALL if options.rehearse else FULL
    make_inputs(scale)
    if options.only_inputs:
        return 0
    stages = {name: float(seconds) for name, _, seconds in (stage.partition("=") for stage in options.stages)}
    began = time.time()
    runs, rates = measure(scale, began + options.seconds - (0 if options.rehearse else sum(stages.values())))
    stages["measuring"] = round(time.time() - began, 1)
    tests = outcomes.read(options.tests) if options.tests else []
    rows = [*speed_rows(runs, scale, rates), *stream_rows(runs, scale)]
    rows.append(whole_row(stages))
    losses = list(loss_lines(runs, scale))
    about = {
        "date": datetime.date.today().isoformat(),
        "device": "gpu",
        "rehearsal": options.rehearse,
        "machine": machine.describe() | machine.gpu(),
        "packs": inputs.hashes([speed_work(scale), stream_work(scale)]),
        "tests": tests,
        "test_counts": outcomes.counts(tests) if options.tests else None,
        "stages": stages,
        "failed": runs.failed,
        "losses": losses,
    }
    measured = {", ".join(names): result for names, result in runs.results.items()}
    write(options, about, rows, texts(about, rows, losses), {"products": rates, "seconds": runs.seconds, "runs": measured})
    return 1 if outcomes.counts(tests)["failed"] or runs.failed else 0


def write(options, about, rows, pages, measured):
    if options.rehearse:
        path = ROOT / "build" / "rehearsal.json"
    else:
        path = ROOT / "bench" / "results" / f"{about['date']}-gpu.json"
        table.write_pages(*pages, "gpu")
    table.write_json(path, about, rows, measured)
    print(*pages, sep="\n")
    print(f"written: {path.relative_to(ROOT)}" + ("; a rehearsal, its figures mean nothing" if options.rehearse else ""))


if __name__ == "__main__":
    sys.exit(main())
