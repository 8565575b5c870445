"""Every merge rule on the toy stream: the same records at one and two ranks, and weights that NumPy finds again."""

import json

import h5py
import numpy as np
import pytest
from tiers import quick

RULES = [
    "closed-form",
    "closed-form:by=module",
    "closed-form:by=module,shrink=0.5",
    "closed-form:by=direction",
    "closed-form:by=direction,shrink=0.5",
    "closed-form:by=coordinate",
    "closed-form:by=coordinate,shrink=0.5",
    "became",
    "average",
    "ema:rate=0.25",
    "fixed:alpha=0.25",
    "first",
    "none",
]


def by_module(group):
    return [group[name][:].astype("f8") for name in sorted(group)]


def delta_of(file):
    modules = [file["lora"][name] for name in sorted(file["lora"])]
    return [m.attrs["scale"] * m["B"][:].astype("f8") @ m["A"][:].astype("f8") for m in modules]


def fisher_of(file):
    return [file["fisher"].attrs["factor"] * values for values in by_module(file["fisher"])]


def second_merge(folder, by):
    """theta_hat_2 by module, from theta_hat_1, the records of both tasks and the recorded coefficients."""
    with h5py.File(f"{folder}/state-0000.h5") as state:
        before = by_module(state["weights"])
    with h5py.File(f"{folder}/tasks/task-0000.h5") as one, h5py.File(f"{folder}/tasks/task-0001.h5") as two:
        coefficients, deltas = two["merge/coefficients"][:], delta_of(two)
        if by == "coordinate":
            optima = [delta_of(one), [weights + delta for weights, delta in zip(before, deltas)]]
            fishers = [fisher_of(one), fisher_of(two)]
            return [(f1 * o1 + f2 * o2) / (f1 + f2) for f1, f2, o1, o2 in zip(*fishers, *optima)]
    steps = []
    for module, delta in enumerate(deltas):
        if by == "direction":
            rank = len(coefficients) // len(deltas)
            u, s, vt = np.linalg.svd(delta)
            own = coefficients[module * rank : (module + 1) * rank]
            steps.append((u[:, :rank] * s[:rank] * own) @ vt[:rank])
        else:
            steps.append(coefficients[module if by == "module" else 0] * delta)
    return [weights + step for weights, step in zip(before, steps)]


@pytest.mark.parametrize("rule", quick(1, RULES))
def test_a_rule_trains_the_same_at_one_and_two_ranks(toy, rule):
    out = "rule-" + rule.replace(":", "-").replace(",", "-")
    for ranks in (1, 2):
        toy.run("--merge", rule, "--tasks", 2, ranks=ranks, out=f"{out}-{ranks}")
    records = toy.records(f"{out}-1")
    assert len(records) == 4  # two tasks, two states
    assert toy.records(f"{out}-2") == records

    folder = toy.path("runs", f"{out}-1")
    keys = dict(part.split("=") for part in rule.partition(":")[2].split(",") if part)
    with h5py.File(f"{folder}/tasks/task-0001.h5") as file:
        recorded, coefficients = json.loads(file["merge/rule"][()]), file["merge/coefficients"][:]
        modules = [module.attrs["rank"] for module in file["lora"].values()]
    assert recorded.pop("name") == rule.partition(":")[0]
    assert {key: str(value) for key, value in recorded.items()} == keys
    by = keys.get("by", "global")
    assert len(coefficients) == {"module": len(modules), "direction": sum(modules)}.get(by, 1)
    if by in ("module", "direction"):
        assert np.ptp(coefficients) > 0.01, "no finer than one alpha: nothing was tested"
    if rule == "closed-form:by=coordinate,shrink=0.5":
        return  # its weights can't be had from its one coefficient
    with h5py.File(f"{folder}/state-0001.h5") as state:
        for found, expected in zip(by_module(state["weights"]), second_merge(folder, by)):
            np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6 * np.abs(expected).max())


def test_a_rule_that_needs_another_training_is_refused(toy):
    text = toy.run("--merge", "ties", out="bad", code=2)
    assert "starts from the pretrained model" in text and "Train with --merge fixed:alpha=0" in text
    assert "Train with --merge none" in toy.run("--merge", "magmax", out="bad", code=2)
    assert "did you mean 'shrink'?" in toy.run("--merge", "closed-form:shrnk=1", out="bad", code=2)


@pytest.mark.slow
def test_another_rule_is_another_run(toy):
    toy.run("--merge", "closed-form:by=module", "--tasks", 1, out="by-module")
    same = ("--merge", "closed-form:shrink=0,by=module", "--tasks", 2, "--resume", "auto")
    toy.run(*same, out="by-module")
    text = toy.run("--merge", "closed-form", "--tasks", 3, "--resume", "auto", out="by-module", code=2)
    assert "closed-form:by=module" in text
