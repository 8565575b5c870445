"""The instruction tasks: the numbers of each training after the last task, over all tasks and by task."""

from .files import read_json
from .language import BEFORE, SEEDS, STREAM, TRAININGS
from .markdown import MISSING, mean_cell, table

COLUMNS = (  # a number of the JSON, its column, and how many of its units the table's unit has
    ("last", "task score, %", 100),
    ("last_exact_match", "exact match, %", 100),
    ("last_correct_tokens", "correct tokens, %", 100),
    ("last_loss_per_token", "loss, nats a token", 1),
    ("forgetting", "forgetting, points", 100),
    ("plasticity_before_merge", "newest task before its merge, %", 100),
    ("plasticity", "newest task after its merge, %", 100),
    ("last_general_loss", "general text, nats a token", 1),
)
OF_A_STREAM = ("forgetting", "plasticity_before_merge", "plasticity")  # have no meaning where nothing is learned in turn


def found_of(training, places):
    """The JSON of each seed that is measured."""
    runs = (read_json(places.result(STREAM, f"{training.name}-seed{seed}")) for seed in training.seeds)
    return [found for found in runs if found]


def cell(values, training, scale):
    return mean_cell([scale * value for value in values], len(training.seeds), digits=1 if scale == 100 else 2)


def number_row(training, found):
    cells = []
    for number, _, scale in COLUMNS:
        is_left_out = number in OF_A_STREAM and not training.is_stream
        cells.append("-" if is_left_out else cell([run["numbers"][number] for run in found], training, scale))
    return [training.title, *cells]


def task_scores(run):
    """{task: its score, a share} after the last task."""
    row = run["after_merge"][-1]
    return {task: score / samples for task, score, samples in zip(run["tasks"], row["task_score"], row["samples"], strict=True)}


def task_row(training, found, tasks):
    scores = [task_scores(run) for run in found]
    return [training.title, *(cell([of_run[task] for of_run in scores], training, 100) for task in tasks)]


def alpha_row(training, found):
    if not found:
        return [training.title, MISSING]
    return [training.title, "; ".join(", ".join(f"{alpha:.2f}" for alpha in run["alphas"][1:]) for run in found)]


def texts(places):
    found = {training.name: found_of(training, places) for training in TRAININGS.values()}
    first = next((run for runs in found.values() for run in runs), None)
    title = "## A decoder: six instruction tasks"
    if first is None:
        return [title, f"{MISSING.capitalize()}."]
    tasks = sorted(first["tasks"])
    settings, seeds = first["settings"], len(SEEDS)
    about = (
        f"SmolLM2-135M-Instruct on the tasks of `launch/data.sh instructions`, {first['after_merge'][-1]['samples'][0]} test samples each. Every training has {settings['epochs']} epochs with "
        f"batches of {settings['batch']} at lr {settings['lr']:g}; no schedule was chosen. {seeds} seeds, each with its own order of tasks. One model answers all tasks. The task score is "
        f"ROUGE-L for French answers and exact match for the other tasks. The general text belongs to no task; its loss is {first['numbers'][BEFORE]:.2f} nats a token before the stream."
    )
    merged = [training for training in TRAININGS.values() if training.is_stream and training.name != "sequential"]
    return [
        title,
        about,
        "After the last task, on the test samples of all tasks:",
        table(["training", *(column for _, column, _ in COLUMNS)], [number_row(each, found[each.name]) for each in TRAININGS.values()]),
        "Task score by task, %:",
        table(["training", *tasks], [task_row(each, found[each.name], tasks) for each in TRAININGS.values()]),
        "Alphas of the tasks after the first one; a semicolon separates seeds:",
        table(["training", "alpha"], [alpha_row(each, found[each.name]) for each in merged]),
    ]
