"""Merge rules against their papers' definitions, written out here in NumPy, and against PEFT, mergekit and fusion_bench."""

import itertools
import os
import subprocess
import types

import numpy as np
import peft.utils.merge_utils as peft_rules
import pytest
import torch

PROGRAM = os.environ["PALIMPSEST_MERGED_WEIGHTS"]
SHAPES, RANK, TASKS, STREAMS = [(6, 20), (15, 8)], 3, 4, 10
SIZES = [rows * columns for rows, columns in SHAPES]
SIZE = sum(SIZES)
DROP, DENSITY, SCALE = 0.75, 0.2, 0.5
MODULES = [slice(first, first + size) for first, size in zip(itertools.accumulate([0, *SIZES]), SIZES)]


def random_stream(seed):
    """A [task][module], B [task][module] and fishers [task], float32."""
    rng = np.random.default_rng(seed)
    a = [[rng.normal(size=(RANK, columns)).astype("f4") for _, columns in SHAPES] for _ in range(TASKS)]
    b = [[rng.normal(size=(rows, RANK)).astype("f4") for rows, _ in SHAPES] for _ in range(TASKS)]
    fishers = [(rng.normal(size=SIZE) ** 2).astype("f4") for _ in range(TASKS)]
    return a, b, fishers


def deltas_of(a, b):
    """Delta of each task, flat: summed over the rank in double, in order, rounded once."""
    def product(a, b):
        return sum(np.outer(b[:, k].astype("f8"), a[k].astype("f8")) for k in range(RANK)).astype("f4").ravel()

    return [np.concatenate([product(*factors) for factors in zip(*task)]) for task in zip(a, b)]


def ours(rule, path, a, b, fishers):
    """theta_hat - theta_hat_0 after each task, [tasks, weights]."""
    parts = [part.ravel() for task in range(TASKS) for part in (*itertools.chain(*zip(a[task], b[task])), fishers[task])]
    np.concatenate(parts).astype("<f4").tofile(path / "in")
    sizes = [str(size) for shape in SHAPES for size in shape]
    command = [PROGRAM, rule, str(TASKS), str(RANK), path / "in", path / "out", *sizes]
    subprocess.run(command, check=True)
    return np.fromfile(path / "out", "<f4").reshape(TASKS, SIZE)


def kept_by_dare(path):
    """What DARE keeps of each task's vector, [tasks, weights]: tasks that are 1, 2, 4, 8 everywhere show it."""
    a = [[np.eye(RANK, 1) * np.ones(columns) for _, columns in SHAPES] for _ in range(TASKS)]
    b = [[np.full((rows, RANK), 2.0**task) for rows, _ in SHAPES] for task in range(TASKS)]
    sums = ours(f"dare:drop={DROP}", path, a, b, [np.ones(SIZE)] * TASKS)[-1] * (1 - DROP)
    return np.array([(sums.astype("i8") >> task) & 1 for task in range(TASKS)])


# The definitions.


def lowest_in_box(g, b):
    """The lowest point of 1/2 x'Gx - b'x in [0, 1]^n, by trying every set of components that lie on a face."""
    best, lowest = None, np.inf
    for faces in itertools.product((0.0, 1.0, None), repeat=len(b)):
        x = np.array([0.0 if face is None else face for face in faces])
        free = [i for i, face in enumerate(faces) if face is None]
        if free:
            x[free] = np.linalg.solve(g[np.ix_(free, free)], (b - g @ x)[free])
        value = x @ g @ x / 2 - b @ x
        if x.min() >= 0 and x.max() <= 1 and value < lowest:
            best, lowest = x, value
    return best


def coarse_alpha(s):
    return np.clip(s.along(slice(None))[0] / s.along(slice(None))[1], 0, 1)


def by_module(s, shrink=0.0):
    terms = [s.along(module) for module in MODULES]
    pull = shrink * np.mean([denominator for _, denominator in terms])
    return [np.clip((n + pull * coarse_alpha(s)) / (d + pull), 0, 1) for n, d in terms]


def by_direction(s, shrink=0.0):
    """The new weights: of each module the best sum of its singular directions, drawn towards the module's alpha."""
    systems = []
    for module, shape in zip(MODULES, SHAPES):
        u, sigma, v = np.linalg.svd(s.delta[module].reshape(shape))
        directions = np.array([np.outer(sigma[k] * u[:, k], v[k]).ravel() for k in range(RANK)])
        s0, s1 = s.memory(module)
        systems.append((directions, (directions * s0) @ directions.T, directions @ (s1 - s0 * s.before[module])))
    pull = shrink * np.mean(np.concatenate([np.diag(g) for _, g, _ in systems]))
    weights = s.before.copy()
    for module, coarse, (directions, g, b) in zip(MODULES, by_module(s, shrink), systems):
        weights[module] += lowest_in_box(g + pull * np.eye(RANK), b + pull * coarse) @ directions
    return weights


def by_coordinate(s, shrink=0.0):
    s0, s1 = s.memory(slice(None))
    pull = shrink * s0.mean()
    return (s1 + pull * (by_direction(s, shrink) if shrink else 0)) / (s0 + pull)


def on_line(s, alpha):
    return s.before + alpha * s.delta


def on_modules(s, alphas):
    return s.before + np.repeat(alphas, SIZES) * s.delta


class Step:
    """A merge of one task: all that a definition may look at, in double."""

    def __init__(self, task, before, delta, optima, fishers, vectors):
        self.task, self.before, self.delta = task, before.astype("f8"), delta.astype("f8")
        self.optima, self.fishers = np.array(optima, "f8"), np.array(fishers, "f8")
        self.vectors = np.array(vectors, "f8")

    def along(self, part):
        """The paper's double sums, numerator and denominator, over a part of the weights."""
        delta, f = self.delta[part], self.fishers[:, part]
        return -((self.before[part] - self.optima[:, part]) * f * delta).sum(), (f * delta**2).sum()

    def memory(self, part):
        return self.fishers[:, part].sum(0), (self.fishers * self.optima)[:, part].sum(0)


def became(s):
    return on_line(s, (s.fishers[-1] * s.delta**2).sum() / (s.fishers * s.delta**2).sum())


def ties(s):
    trimmed = np.zeros_like(s.vectors)
    for vector, kept in zip(s.vectors, trimmed):
        largest = np.argsort(-np.abs(vector))[: round(DENSITY * SIZE)]
        kept[largest] = vector[largest]
    agrees = np.sign(trimmed) == np.sign(trimmed.sum(0))
    agrees &= trimmed != 0
    return (trimmed * agrees).sum(0) / np.maximum(agrees.sum(0), 1)


def first_whole(definition):
    return lambda s: s.optima[0] if s.task == 0 else definition(s)


def exponential_mean(s, rate):
    ages = np.arange(s.task, -1, -1)
    weights = (1 - rate) ** ages * np.where(ages == s.task, 1, rate)
    return weights @ s.optima


DEFINITIONS = {
    "closed-form": first_whole(lambda s: on_line(s, coarse_alpha(s))),
    "closed-form:by=module": first_whole(lambda s: on_modules(s, by_module(s))),
    "closed-form:by=module,shrink=0.5": first_whole(lambda s: on_modules(s, by_module(s, 0.5))),
    "closed-form:by=direction": first_whole(by_direction),
    "closed-form:by=direction,shrink=0.5": first_whole(lambda s: by_direction(s, 0.5)),
    "closed-form:by=coordinate": by_coordinate,
    "closed-form:by=coordinate,shrink=0.5": first_whole(lambda s: by_coordinate(s, 0.5)),
    "became": became,
    "average": lambda s: s.optima.mean(0),
    "ema:rate=0.25": lambda s: exponential_mean(s, 0.25),
    "fixed:alpha=0.25": lambda s: on_line(s, 0.25),
    "first": lambda s: s.optima[0],
    "none": lambda s: s.optima[-1],
    f"task-arithmetic:scale={SCALE}": lambda s: SCALE * s.vectors.sum(0),
    f"ties:density={DENSITY},scale={SCALE}": lambda s: SCALE * ties(s),
    "magmax": lambda s: np.take_along_axis(s.vectors, np.abs(s.vectors).argmax(0)[None], 0)[0],
}


def difference(found, expected):
    """The largest one, as a share of the largest number."""
    return np.abs(np.asarray(found, "f8") - np.asarray(expected, "f8")).max() / np.abs(np.asarray(expected)).max()


@pytest.mark.parametrize("rule", DEFINITIONS)
def test_a_rule_is_its_definition(rule, tmp_path):
    for seed in range(STREAMS):
        a, b, fishers = random_stream(seed)
        merged, deltas = ours(rule, tmp_path, a, b, fishers), deltas_of(a, b)
        before, optima = np.zeros(SIZE, "f4"), []
        for task, delta in enumerate(deltas):
            optima.append(before + delta)
            step = Step(task, before, delta, optima, fishers[: task + 1], deltas[: task + 1])
            assert difference(merged[task], DEFINITIONS[rule](step)) < 1e-6, f"stream {seed}, task {task + 1}"
            before = merged[task]


def test_dare_drops_a_share_and_divides_the_rest(tmp_path):
    kept = kept_by_dare(tmp_path)
    assert abs(kept.mean() - (1 - DROP)) < 5 * np.sqrt(DROP * (1 - DROP) / kept.size)
    assert len({row.tobytes() for row in kept}) == TASKS  # each task its own
    for seed in range(STREAMS):
        a, b, fishers = random_stream(seed)
        merged = ours(f"dare:drop={DROP},scale={SCALE}", tmp_path, a, b, fishers)
        for task in range(TASKS):
            expected = SCALE * (kept * np.array(deltas_of(a, b)))[: task + 1].sum(0) / (1 - DROP)
            assert difference(merged[task], expected) < 1e-6


# Other programs.


def with_draws(monkeypatch, name, draws):
    """The next calls of torch.NAME, one a task, give these instead of random numbers."""
    left = iter(torch.tensor(np.array(draws, "f4")))
    monkeypatch.setattr(torch, name, lambda *_, **__: next(left))


class Peft:
    """add_weighted_adapter's rules."""

    module = "peft"
    rules = ["task-arithmetic", "ties", "dare"]
    weights = torch.full((TASKS,), SCALE)

    def task_arithmetic(self, s):
        return peft_rules.task_arithmetic(s.vectors, self.weights)

    def ties(self, s):
        return peft_rules.ties(s.vectors, self.weights, DENSITY)

    def dare(self, s):
        with_draws(s.monkeypatch, "bernoulli", s.kept)
        return peft_rules.dare_linear(s.vectors, self.weights, 1 - DROP)


class Mergekit:
    module = "mergekit"
    rules = ["task-arithmetic", "ties", "dare", "average"]

    def merge(self, method, tensors, base_index, **parameters):
        from mergekit.merge_methods import base, registry

        group = base.TensorGroup.from_tensors(tensors, base_index=base_index)
        return registry.get(method)([group], parameters={"weight": 1.0, **parameters})[0]

    def on_base(self, method, s, **parameters):
        return self.merge(method, [torch.zeros(SIZE), *s.vectors], 0, **parameters)

    def task_arithmetic(self, s):
        return self.on_base("task_arithmetic", s, **{"lambda": SCALE})

    def ties(self, s):
        return self.on_base("ties", s, density=DENSITY, **{"lambda": SCALE})

    def dare(self, s):
        """Its own rescaling keeps the vector's sum of magnitudes; the paper divides by 1 - drop."""
        with_draws(s.monkeypatch, "bernoulli", s.kept)
        return self.on_base("dare_linear", s, density=1 - DROP, rescale=False, **{"lambda": SCALE / (1 - DROP)})

    def average(self, s):
        return self.merge("linear", s.optima, None)


class FusionBench:
    module = "fusion_bench"
    rules = ["task-arithmetic", "ties", "dare", "magmax", "closed-form:by=coordinate"]

    def task_arithmetic(self, s):
        from fusion_bench.method.task_arithmetic.task_arithmetic import TaskArithmeticAlgorithm

        def model(weights):
            linear = torch.nn.Linear(SIZE, 1, bias=False)
            linear.weight.data = weights[None]
            return linear

        models = {"_pretrained_": model(torch.zeros(SIZE))} | {f"task {t}": model(v) for t, v in enumerate(s.vectors)}
        return TaskArithmeticAlgorithm(scaling_factor=SCALE).run(models).weight[0].detach()

    def ties(self, s):
        """It keeps one element more than the share; the half makes that the same number."""
        from fusion_bench.method.ties_merging.ties_merging_utils import ties_merging

        return SCALE * ties_merging(torch.stack(s.vectors), DENSITY - 0.5 / SIZE, "mean")

    def dare(self, s):
        from fusion_bench.method.dare.utils import param_random_drop_

        with_draws(s.monkeypatch, "rand_like", s.kept)  # above the share of drops: kept
        vectors = [v.clone() for v in s.vectors]
        for vector in vectors:
            param_random_drop_(vector, DROP, rescale=True)
        return SCALE * sum(vectors)

    def magmax(self, s):
        from fusion_bench.method.magmax.magmax import _magmax_select

        return _magmax_select([{"w": v} for v in s.vectors])["w"]

    def closed_form(self, s):
        """Fisher merging, with the Fishers as they are."""
        from fusion_bench.method.fisher_merging.fisher_merging import merging_with_fisher_weights

        fishers = [{"w": torch.from_numpy(fisher)} for fisher in s.fishers]
        return merging_with_fisher_weights({"w": s.optima}, fishers, torch.ones(TASKS), False, 0.0)["w"]


KEYS = {"task-arithmetic": f":scale={SCALE}", "ties": f":density={DENSITY},scale={SCALE}", "dare": f":drop={DROP},scale={SCALE}"}


@pytest.mark.parametrize("peer, rule", [(peer, rule) for peer in (Peft(), Mergekit(), FusionBench()) for rule in peer.rules],
                         ids=lambda value: value if isinstance(value, str) else value.module)
def test_a_rule_is_that_of_another_program(peer, rule, tmp_path, monkeypatch):
    pytest.importorskip(peer.module, reason=f"{peer.module} is not installed")
    kept, largest = kept_by_dare(tmp_path), 0
    for seed in range(STREAMS):
        a, b, fishers = random_stream(seed)
        merged, deltas = ours(rule + KEYS.get(rule, ""), tmp_path, a, b, fishers), deltas_of(a, b)
        starts = [np.zeros(SIZE, "f4"), *merged[:-1]]
        stream = types.SimpleNamespace(
            vectors=[torch.from_numpy(delta) for delta in deltas],
            optima=[torch.from_numpy(start + delta) for start, delta in zip(starts, deltas)],
            fishers=fishers,
            kept=kept,
            monkeypatch=monkeypatch,
        )
        theirs = getattr(peer, rule.partition(":")[0].replace("-", "_"))(stream)
        largest = max(largest, difference(merged[-1], theirs))
    assert largest < 1e-6
