"""From what the contenders did to the lines of the table. `results` is, by contender, one result for each round."""

import statistics

from . import contest, operations
from .figure import Figure, Row

AS_IT_COMES, BF16 = ("ddp", "peft"), ("ddp bf16", "peft bf16")
TUNED = ("ddp", "peft", "ddp tuned", "peft tuned", "ddp compiled", "peft compiled")
GOALS = {  # of training speed: against PyTorch by its defaults, and tuned
    "minilm": (3.0, 2.0),
    "smollm2": (1.5, 1.2),
    "vit-small-14": (2.0, 1.15),
    "vit-base-16": (2.0, 1.15),
}
BF16_GOAL = {"minilm": 2.5}


def of_work(work, results, gemm):
    """All lines of a work."""
    lines = []
    if work.name in GOALS:
        lines += speed_rows(work, results, *GOALS[work.name], BF16_GOAL.get(work.name))
    if work.name in GOALS and work.backbone in operations.SHAPES:
        lines.append(gemm_row(work, results, gemm))
    if work.name == "smollm2":
        lines.append(memory_row(f"{work.title}: peak memory of all ranks", results, TUNED, 0.6))
        if "lanes small" in results:
            title = f"{work.title}: peak memory of all ranks with shards and activation checkpointing"
            lines.append(memory_row(title, results, TUNED, 0.6, "lanes small"))
    if work.name == "minilm":
        lines += [perturbation_row(work, results), scaling_row(work, results), start_row(work, results)]
    if work.name == "stream":
        lines += [*stream_rows(work, results), fisher_row(work, results)]
    if work.name == "merge":
        lines.append(merge_row(work, results))
    return lines


def speed(work, rounds):
    """Training samples a second; of sequences, tokens of prompts and completions, padding left out."""
    size = statistics.mean(operations.token_counts(work)) if work.predicts_tokens else 1
    return Figure.of(size / contest.seconds_per_sample(result, work.skip) for result in rounds)


def best(results, names, figure, highest):
    """(name, Figure) of the best of these contenders; None where none of them ran."""
    choose = max if highest else min
    figures = [(name, figure(results[name])) for name in names if name in results]
    return choose(figures, key=lambda pair: pair[1].median, default=None)


def speed_rows(work, results, as_it_comes, tuned, bf16):
    contests = [
        (ours, peers, title, goal)
        for peers, title, goal in ((AS_IT_COMES, "PyTorch by its defaults", as_it_comes), (TUNED, "tuned PyTorch", tuned))
        for ours in ("lanes", "lanes ranks")
    ]
    contests.append(("lanes bf16", BF16, "PyTorch's bf16 autocast", bf16))
    for ours, peers, title, goal in contests:
        found = best(results, peers, lambda rounds: speed(work, rounds), highest=True)
        if ours in results and found:
            mine = speed(work, results[ours])
            name, peer = found
            title = f"{work.title}: training, {ours}, against {title}"
            quiet = min(fastest(work, results[p]) for p in peers if p in results) / fastest(work, results[ours])
            unit = "tokens/s" if work.predicts_tokens else "samples/s"
            yield Row(title, unit, mine, peer, name, mine.median / peer.median, goal, "times", True, quiet)


def fastest(work, rounds):
    """Seconds of the steps that count, of every step the fastest of the rounds: what else the machine did falls out."""
    return sum(min(times) for times in list(zip(*(result["step_seconds"] for result in rounds)))[work.skip :])


def gemm_row(work, results, gemm):
    """Operations of the step against the best matrix product of the same call."""
    rates = [operations.mean_training(work) * 1e-9 * value for value in speeds(work, results["lanes"])]
    mine, top = Figure.of(rates), Figure.of(max(rates_.values()) * 1e-9 for rates_ in gemm)
    name = max(gemm[0], key=gemm[0].get)
    share = mine.median / top.median
    samples = sum(results["lanes"][0]["samples"][work.skip :])
    quiet = operations.mean_training(work) * 1e-9 * samples / fastest(work, results["lanes"]) / top.greatest
    title = f"{work.title}: share of the best matrix product"
    return Row(title, "GFLOP/s", mine, top, name, share, 0.7, "percent", True, quiet)


def speeds(work, rounds):
    """Mean samples a second over the steps that count, of each round."""
    for result in rounds:
        yield sum(result["samples"][work.skip :]) / sum(result["step_seconds"][work.skip :])


def perturbation_row(work, results):
    def figure(rounds):
        return Figure.of(1000 * statistics.median(result["step_seconds"][work.skip :]) for result in rounds)

    mine, plain = figure(results["lanes"]), figure(results["unperturbed"])
    quiet = fastest(work, results["lanes"]) / fastest(work, results["unperturbed"]) - 1
    cost = mine.median / plain.median - 1
    title = f"{work.title}: cost of the perturbation"
    return Row(title, "ms a step", mine, plain, "plain LoRA", cost, 0.005, "percent", False, quiet, offset=1.0)


def scaling_row(work, results):
    two, one = speed(work, results["lanes"]), speed(work, results["one rank"])
    quiet = fastest(work, results["one rank"]) / fastest(work, results["lanes"])
    title, ratio = f"{work.title}: from 1 rank to 2", two.median / one.median
    return Row(title, "samples/s", two, one, "1 rank", ratio, 1.95, "times", True, quiet)


def start_row(work, results):
    mine = Figure.of(result["first_step"] for result in results["lanes"])
    name, peer = best(results, AS_IT_COMES, lambda rounds: Figure.of(r["first_step"] for r in rounds), highest=False)
    return Row(f"{work.title}: start to first step", "s", mine, peer, name, mine.median, 1.5, "s", False)


def stream_rows(work, results):
    def wall(rounds):
        return Figure.of(result["wall"] for result in rounds)

    peers = ("ddp", "ddp tuned")
    name, peer = best(results, peers, wall, highest=False)
    for ours in ("lanes", "lanes ranks"):
        mine = wall(results[ours])
        title = f"{work.title}: wall time, {ours}"
        yield Row(title, "s", mine, peer, name, peer.median / mine.median, 2.0, "times", True, is_ratio_of_ours=False)
    yield memory_row(f"{work.title}: peak memory of all ranks", results, peers, 0.5)


def memory_row(title, results, peers, goal, ours="lanes"):
    def peak(rounds):
        return Figure.of(result["peak_bytes"] / 1e6 for result in rounds)

    mine, (name, peer) = peak(results[ours]), best(results, peers, peak, highest=False)
    return Row(title, "MB", mine, peer, name, mine.median / peer.median, goal, "times", False)


def fisher_row(work, results):
    def total(result, part):
        return sum(task[part] for task in result["tasks"])

    fisher = Figure.of(1000 * total(result, "fisher") / total(result, "samples") for result in results["lanes"])
    training = Figure.of(1000 * total(result, "train") / sum(result["samples"]) for result in results["lanes"])
    title, ratio = f"{work.title}: Fisher pass against training", fisher.median / training.median
    return Row(title, "ms a sample", fisher, training, "training", ratio, 1.2, "times", False)


def merge_row(work, results):
    """The last merge of each round: by then there are earlier tasks to weigh."""
    mine = Figure.of(1000 * result["tasks"][-1]["merge"] for result in results["lanes"])
    title = "Merge and broadcast, 14.2 M adapted weights"
    return Row(title, "ms", mine, None, "", mine.median, 150, "ms", False)


def inspect_row(seconds, megabytes):
    mine = Figure.of(1000 * value for value in seconds)
    return Row(f"palimpsest inspect on a record of {megabytes:.0f} MB", "ms", mine, None, "", mine.median, 30, "ms", False)


def loss_lines(work, results):
    """Both sides' curves: (work, contender, first loss, mean of the last quarter, greatest difference to ours, accuracy).
    Ours in bf16 is what others in bf16 are compared with."""
    if len(results) == 1:
        return
    for name, rounds in results.items():
        if name == "unperturbed":
            continue
        ours = results["lanes bf16" if "bf16" in name else "lanes"][0]["losses"]
        losses = rounds[0]["losses"]
        tail = losses[-max(1, len(losses) // 4) :]
        difference = max(abs(a - b) for a, b in zip(ours, losses))
        yield work.title, name, losses[0], sum(tail) / len(tail), difference, rounds[0]["accuracy"]
