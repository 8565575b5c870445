"""What a run is called: its stream, its method, its seed, and its finding in a sentence."""

import os

from ..counted import counted
from ..runs.kinds import kind_in
from .measures import measure_values
from .published import published_column
from .reported import ReportedRun, given_task_if
from .text import listed, percent

MERGES = {
    "average": "model averaging",
    "became": "BECAME",
    "ema": "CoMA (moving average)",
    "fixed": "merging with a fixed alpha",
    "first": "first task alone",
    "task-arithmetic": "task arithmetic",
    "dare": "DARE",
    "ties": "TIES",
    "magmax": "MagMax",
}


def stream_name(run: ReportedRun) -> str:
    """Of the protocol; of the published data where run.json is missing; else of the run."""
    protocol = run.text_setting("protocol")
    if protocol:
        return os.path.splitext(os.path.basename(protocol))[0]
    column = published_column(run) if run.tasks else None
    return str(column["protocol"]) if column else run.name


def method_name(run: ReportedRun) -> str:
    """As the field calls it."""
    if run.settings.get("joint") is True:
        return "joint training"
    if run.kind("adapter") == "none":
        return "prototypes of a frozen backbone" if run.kind("head") == "prototype" else "frozen backbone"
    merge, perturbation = run.kind("merge"), run.kind("perturbation")
    penalty = run.kind("penalty")
    name = MERGES.get(merge, merge)
    if merge == "none":
        name = "sequential LoRA" if penalty in ("none", "") else penalty.upper()
    elif merge == "closed-form":
        name = "LoRA-M" if perturbation == "none" else "Perturb-and-Merge"
        by = run.key("merge", "by")
        name += f" by {by}" if by not in ("", "global") else ""
    is_usual = (perturbation == "sign") == (merge == "closed-form") and perturbation in ("sign", "none")
    if perturbation and not is_usual and not (merge == "closed-form" and perturbation == "none"):
        name += f", {perturbation} perturbation"
    classifier = run.kind("classifier").partition(",")[0]
    return name if classifier in ("local", "none", "") else f"{name}, {classifier} classifier"


def title(run: ReportedRun) -> str:
    """The folder's name and, where it is another, the stream's."""
    stream = stream_name(run)
    what = method_name(run) if stream == run.name else f"{method_name(run)} on {stream}"
    return f"{run.name}: {what}, seed {run.settings.get('seed', '?')}"


def classifier_names(run: ReportedRun) -> list[str]:
    """In words, the run's own first: "local heads", "ridge"; with their keys where kinds repeat."""
    names = [one.classifier for one in (run.evaluations, *run.others) if one]
    kinds = [kind_in(name) for name in names]
    return ["local heads" if kind == "local" else kind for kind in kinds] if len(set(kinds)) == len(kinds) else names


def finding(run: ReportedRun) -> str:
    """What was reached and what was lost, in a sentence."""
    if run.evaluations is None:
        return "No task is finished yet."
    values = measure_values(run.evaluations)
    given = "with the task given, " if run.is_task_given else ""
    learned = counted(len(run.tasks), "task")
    if not run.is_of_completions:
        learned += f" with {counted(len(run.classes), 'class')}"
    names = classifier_names(run)
    by = f"by {names[0]}, " if run.others else ""
    new = f"a new task is learned to {percent(values['plasticity'])} % on average"
    if "last" not in values:
        return f"After {learned}, only the newest task was tested (--evaluate, or the data of the others isn't available); {given}{by}{new}."
    what = f"After {learned}, {given}{percent(values['last'])} % of the test samples are classified right"
    if run.is_of_completions:
        what = f"After {learned}, the {run.score_title} is {percent(values['last'])} % on the test samples"
    if run.others:
        others = [f"{percent(measure_values(given_task_if(run, other))['last'])} % by {name}" for other, name in zip(run.others, names[1:], strict=True)]
        what += f" by {listed([names[0], *others])}"
    if "forgetting" not in values:
        return f"{what}."
    lost = values["forgetting"]
    points = percent(abs(lost))
    change = "earlier tasks are as good as at their best"
    if points != "0.0":
        change = f"earlier tasks have lost {points} points since their best" if lost > 0 else f"earlier tasks are {points} points above their earlier best"
    return f"{what}; {by}{change}, and {new}."
