"""Six instruction tasks for a decoder (configs/instructions.cfg): which trainings run, and the JSON of a run.

Nothing is chosen: all trainings have the schedule of the configuration."""

import dataclasses
import shutil

from . import training
from .children import ROOT
from .files import write_json
from .streams import PACKER

STREAM = "instructions"
CONFIG = "instructions.cfg"
PACK, GENERAL, BACKBONE = "data/instructions.h5", "data/instructions-general.h5", "data/smollm2"
ROUGE_L = "french"  # the task that has this score
SEEDS = (1, 2)
PLAIN_FISHER = ("curvature", "empirical:scale=none")
UNPERTURBED = (("perturbation", "none"), PLAIN_FISHER)
NO_MERGE = (("merge", "none"), *UNPERTURBED)


@dataclasses.dataclass(frozen=True)
class LanguageTraining:
    name: str
    title: str
    settings: tuple = ()  # (name, value), over those of P&M with the secant scale
    seeds: tuple = SEEDS
    is_joint: bool = False

    @property
    def is_stream(self):
        """Whether one task is learned after another."""
        return not self.is_joint and ("adapter", "none") not in self.settings


TRAININGS = {
    each.name: each
    for each in (
        LanguageTraining("zero-shot", "pretrained, not trained", (("adapter", "none"), *NO_MERGE), seeds=(1,)),
        LanguageTraining("sequential", "sequential", NO_MERGE),
        LanguageTraining("average", "average", (("merge", "average"), *UNPERTURBED)),
        LanguageTraining("lora-m", "LoRA-M", UNPERTURBED),
        LanguageTraining("pm-none", "P&M, none", (PLAIN_FISHER,)),
        LanguageTraining("pm-secant", "P&M, secant"),
        LanguageTraining("joint", "joint", (("joint", "true"), *NO_MERGE), is_joint=True),
    )
}
NUMBERS = (
    "last", "last_task_mean", "forgetting", "forgetting_from_peak_before_merge", "plasticity", "plasticity_before_merge", "last_exact_match",
    "last_correct_tokens", "last_loss_per_token", "last_general_loss",
)  # fmt: skip
BEFORE = "last_general_loss_before_stream"  # of the pretrained model
TESTED_ALONE = (("adapter", "none"), *NO_MERGE, ("evaluate", "last"), ("evaluate-before-merge", "false"))


@dataclasses.dataclass(frozen=True)
class Run:
    training: LanguageTraining
    seed: int

    @property
    def name(self):
        return f"{self.training.name}-seed{self.seed}"


def runs_of(trainings, seeds):
    """A seed of every training first."""
    return [
        Run(TRAININGS[name], seed) for seed in SEEDS for name in trainings if seed in TRAININGS[name].seeds and (seeds is None or seed in seeds)
    ]


def protocol_of(seed, children, places):
    """The order of the tasks is that of a seed."""
    path = places.runs / "protocols" / f"{STREAM}-seed{seed}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [*PACKER, "protocol", "--pack", PACK, "--name", STREAM, "--seed", seed, "--rouge-l", ROUGE_L, "--out", path]
        children.run(command, path.with_suffix(".log"))
    return path


def exported(folder, children, places):
    """The merged model of a run, as a folder of transformers."""
    path = training.beside(folder, "-exported")
    shutil.rmtree(path, ignore_errors=True)
    children.run([places.export, folder, "--out", path], training.log_of(folder))
    return path


def train(run, settings, backbone, folder, children, places):
    own = training.own_settings(PACK, backbone, protocol_of(run.seed, children, places), run.seed, folder)
    training.train_with((CONFIG,), {**own, "general": GENERAL, **dict(settings)}, folder, children, places)
    return training.read_output([places.inspect, "--json", folder], folder, "inspect", children)


def tested_by_task(run, folder, children, places):
    """A run that only tests the merged model of another one: its last row has every task."""
    tested = training.beside(folder, "-by-task")
    found = train(run, TESTED_ALONE, exported(folder, children, places), tested, children, places)
    shutil.rmtree(training.beside(folder, "-exported"))
    training.remove(tested)
    return found


def content_of(run, folder, trained, tested):
    """trained: what palimpsest inspect says of the training. tested: what it says of the run whose rows have every task; only of joint training is this another run."""
    tasks = tested["tasks"]
    seconds = training.seconds_of(folder, trained)
    return {
        "stream": STREAM,
        "training": run.training.name,
        "seed": run.seed,
        **training.origin(trained),
        "backbone_sha256": trained["run"]["backbone_sha256"],
        "pack_content_sha256": trained["run"]["pack_content_sha256"],
        "settings": trained["config"],
        "tasks": [task["task"]["classes"][0] for task in tasks],
        "alphas": trained["alphas"],
        "seconds": {name: seconds[name] for name in ("processor", "train")},
        "numbers": {name: tested["summary"].get(name) for name in NUMBERS} | {BEFORE: trained["summary"][BEFORE]},
        "after_merge": [task["metrics"]["after_merge"] for task in tasks],
        "before_merge": [task["metrics"]["before_merge"] for task in tasks],
    }


def measure(run, keep, children, places):
    """Trains, tests, and writes the JSON."""
    folder = places.runs / STREAM / run.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    trained = train(run, run.training.settings, BACKBONE, folder, children, places)
    tested = tested_by_task(run, folder, children, places) if run.training.is_joint else trained
    write_json(places.result(STREAM, run.name), content_of(run, folder, trained, tested))
    if not keep:
        training.remove(folder)


def prepare(children, places):
    if not all((ROOT / path).exists() for path in (PACK, GENERAL, BACKBONE)):
        places.runs.mkdir(parents=True, exist_ok=True)
        children.run(["launch/data.sh", STREAM], places.runs / f"data-{STREAM}.log")


def run_missing(runs, jobs, keep, children, places):
    """Returns failures and how many are left."""
    wanted = [run for run in runs if not places.result(STREAM, run.name).exists()]
    if wanted:
        prepare(children, places)
    works = [(f"{STREAM}, {run.name}", lambda run=run: measure(run, keep, children, places)) for run in wanted]
    _, failures, left = children.do_all(works, jobs)
    return failures, left
