"""A table for each question, from paired differences."""

import statistics

from .classifiers import CLASSIFIERS
from .markdown import MISSING, difference_cell, mean_cell, table
from .results import BEST, Arm
from .stages import PARTS, SWEPT
from .streams import STREAMS
from .trainings import FEW, MERGED, PAPER, REGIMES, TRAININGS

FIRST_STAGE = tuple(part.stream for part in PARTS if part.stage == 1)
SECOND_STAGE = tuple(part.stream for part in PARTS if part.stage == 2)
BOUNDED = tuple(part.stream for part in PARTS if part.stage < 3)
ANALYTIC = tuple(name for name, classifier in CLASSIFIERS.items() if classifier.is_analytic)


def title_of(classifier):
    return "best analytic" if classifier == BEST else CLASSIFIERS[classifier].title


def difference_table(results, streams, classifiers, pairs):
    """pairs: (training, training that it is compared with). A row for each pair and stream, then one for all streams together."""
    rows = []
    for one, other in pairs:
        for group, label in (*(((stream,), stream) for stream in streams), (streams, f"all {len(streams)}")):
            differences = [results.difference(group, Arm(one, name), Arm(other, name)) for name in classifiers]
            rows.append([f"{TRAININGS[one].title} minus {TRAININGS[other].title}", label, *map(difference_cell, differences)])
    return table(["", "stream", *map(title_of, classifiers)], rows)


def verdict(differences):
    """Of the paper's ordering, each training less the one before."""
    if None in differences:
        return MISSING
    if all(each.low > 0 for each in differences):
        return "found"
    if any(each.high < 0 for each in differences):
        return "contradicted"
    return "in the means only" if all(each.mean > 0 for each in differences) else "not found"


def ordering(results):
    rows = []
    for part in PARTS:
        if not set(PAPER) <= set(part.trainings):
            continue
        arms = [Arm(training, "local", part.regime) for training in PAPER]
        differences = [results.difference((part.stream,), one, other) for other, one in zip(arms, arms[1:])]
        means = [mean_cell(results.values(part.stream, arm), len(part.seeds)) for arm in arms]
        rows.append([part.stream, REGIMES[part.regime].title, *means, *map(difference_cell, differences), verdict(differences)])
    head = ["stream", "regime", *(TRAININGS[name].title for name in PAPER)]
    head += [f"{TRAININGS[one].title} minus {TRAININGS[other].title}" for other, one in zip(PAPER, PAPER[1:])]
    return [
        "### Where is the paper's ordering found?",
        "In the paper: sequential < average < LoRA-M < P&M, with local heads. Last accuracy in %, differences in points.",
        "- *Found*: the intervals of all three differences are above zero.\n"
        "- *Contradicted*: the interval of one difference is below zero.\n"
        "- *In the means only*: neither, but all three differences are above zero.\n"
        "- *Not found*: anything else.",
        table([*head, "ordering"], rows),
    ]


def perturbation(results):
    return [
        "### What is perturbation worth?",
        "The same merge with perturbation and without. Last accuracy, points.",
        difference_table(results, FIRST_STAGE, (*CLASSIFIERS, BEST), [("pm-none", "lora-m")]),
    ]


def merged_backbone(results):
    return [
        "### What does a merged backbone give an analytic classifier?",
        "Different backbones under the same classifier. Last accuracy, points.",
        difference_table(results, FIRST_STAGE, (*ANALYTIC, BEST), [(MERGED, other) for other in ("frozen", "first-session", "sequential")]),
        f"The same on {' and '.join(SECOND_STAGE)}, with the best analytic classifier:",
        difference_table(results, SECOND_STAGE, (BEST,), [(MERGED, other) for other in ("frozen", "sequential")]),
    ]


def sweep_row(results, stream, training, classifier):
    name = results.best_analytic(stream) if classifier == BEST else classifier
    curves = [found["classifiers"][name] for found in results.sweeps(stream, training) if name in found["classifiers"]]
    seeds = next(len(part.seeds) for part in SWEPT if part.stream == stream)
    if not curves:
        return [stream, TRAININGS[training].title, title_of(classifier), *[MISSING] * 5]

    def accuracies(alpha_of):
        return [100 * min(curve["points"], key=lambda point: abs(point[0] - alpha_of(curve)))[1] for curve in curves]

    inverse = 1 / STREAMS[stream].tasks
    alphas = [f"{statistics.mean(curve[key] for curve in curves):.2f}" for key in ("own_alpha", "best_alpha")]
    columns = [accuracies(lambda curve: curve["own_alpha"]), accuracies(lambda curve: inverse), accuracies(lambda curve: curve["best_alpha"])]
    return [stream, TRAININGS[training].title, title_of(classifier), *alphas, *(mean_cell(values, seeds) for values in columns)]


def closed_form(results):
    swept = [sweep_row(results, part.stream, training, name) for part in SWEPT for training in part.trainings for name in ("local", BEST)]
    return [
        "### Is the closed form's alpha better than 1/t?",
        "LoRA-M and average differ in alpha alone. P&M with the secant scale also has the perturbation. Last accuracy, points.",
        difference_table(results, FIRST_STAGE, (*CLASSIFIERS, BEST), [("lora-m", "average"), (MERGED, "average")]),
        "The newest merge with other values of alpha: accuracy on the validation samples of all tasks in %, mean over seeds. The best alpha is chosen on the same samples, "
        "so its accuracy is an upper bound.",
        table(["stream", "training", "classifier", "alpha of the closed form", "best alpha", "accuracy with the closed form", "with 1/t", "with the best"], swept)
        if any(row[-1] != MISSING for row in swept)
        else f"{MISSING.capitalize()}.",
    ]


def gap_to_joint(results):
    """Local heads of the merged backbone -> its best analytic classifier -> the same of the joint backbone -> the joint head."""
    steps = (Arm(MERGED, "local"), Arm(MERGED, BEST), Arm("joint", BEST), Arm("joint", "local"))
    rows, shares = [], []
    for group, label in (*(((stream,), stream) for stream in BOUNDED), (BOUNDED, f"all {len(BOUNDED)}")):
        differences = [results.difference(group, later, earlier) for earlier, later in (*zip(steps, steps[1:]), (steps[0], steps[-1]))]
        rows.append([label, *map(difference_cell, differences)])
    for part in PARTS:
        if part.stage > 2:
            continue
        numbers = [(arm, number) for arm in steps[:2] for number in ("last", "last_given_task", "last_task_identity", "last_before_merge")]
        shares.append([part.stream, *(mean_cell(results.values(part.stream, arm, number), len(part.seeds)) for arm, number in numbers)])
    columns = ("last", "given the task", "right task", "before the last merge")
    return [
        "### What separates P&M from joint training?",
        "Three steps lead from P&M with the secant scale and local heads to joint training with its own head: the best analytic classifier replaces the heads, the joint backbone "
        "replaces the merged one, and the joint head replaces the classifier. The steps add up. Last accuracy, points.",
        table(["stream", "best analytic classifier", "joint backbone", "joint head", "all three"], rows),
        "P&M with the secant scale, in %. *Given the task*: accuracy among the classes of the right task. *Right task*: how often the chosen class belongs to the right task. "
        "*Before the last merge*: last accuracy of the weights before that merge.",
        table(["stream", *(f"{name}, {which}" for which in ("local heads", "best analytic") for name in columns)], shares),
    ]


def few_samples(results):
    rows = []
    for stream in FIRST_STAGE:
        few, whole = (results.by_seed(stream, Arm(name, "local")) for name in (FEW, MERGED))
        seeds = sorted(few.keys() & whole.keys())
        moved = [abs(a - b) for seed in seeds for a, b in zip(few[seed][0]["alphas"][1:], whole[seed][0]["alphas"][1:], strict=True)]
        cells = [f"{statistics.mean(moved):.3f}", f"{max(moved):.3f}"] if moved else [MISSING, MISSING]
        rows.append([stream, str(len(seeds)), *cells])
    return [
        "### What does a Fisher over few samples of each class change?",
        f"`--curvature {dict(TRAININGS[FEW].settings)['curvature']}` minus the same with all training samples. Last accuracy, points.",
        difference_table(results, FIRST_STAGE, (*CLASSIFIERS, BEST), [(FEW, MERGED)]),
        "Absolute change of alpha, over the tasks after the first one:",
        table(["stream", "seeds", "mean", "maximum"], rows),
    ]


def texts(results):
    about = "Each difference is paired over seeds and test samples and has its 95 % interval in parentheses. It is bold if the interval doesn't contain zero. *Best analytic* is the "
    about += "analytic classifier (class means, ridge, RanPAC or gaussian) with the highest accuracy on the stream's validation samples."
    return ["## Questions", about, *ordering(results), *perturbation(results), *merged_backbone(results), *closed_form(results), *gap_to_joint(results), *few_samples(results)]
