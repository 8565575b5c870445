"""Prompts with completions on a decoder: the same numbers at every number of ranks, and those of transformers."""

import json
import os
import re
import subprocess

import h5py
import numpy as np
import pytest
import toy as toy_module
import torch
import transformers
from program import MPIRUN, PROGRAM, Toy
from tiers import quick

EXPORT = os.environ["PALIMPSEST_EXPORT"]
MERGE = os.path.join(os.path.dirname(EXPORT), "palimpsest-merge")
INSPECT = os.environ["PALIMPSEST_INSPECT"]


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    """Four tasks; all projections are adapted."""
    made = Toy(str(tmp_path_factory.mktemp("sequences") / "toy"), toy_module.make_sequences)
    made.run("--error-budget", out="run")
    return made


def model_at(sequences, difference, name="backbone"):
    """transformers' model with these differences to its weights, by module."""
    model = transformers.AutoModelForCausalLM.from_pretrained(sequences.path(name)).eval()
    with torch.no_grad():
        for module, values in difference.items():
            model.model.get_submodule(module).weight.add_(torch.from_numpy(np.asarray(values)))
    return model


def merged_model(sequences, run="run", task=3):
    with h5py.File(sequences.path("runs", run, f"state-{task:04}.h5"), locking=False) as state:
        return model_at(sequences, {name: values[:] for name, values in state["weights"].items()})


def tokens_of(completions):
    return [place for begin, end in completions for place in range(begin, end)]


def losses_of(model, ids, completions):
    """Of each token of the completions."""
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    places = torch.tensor(tokens_of(completions))
    return torch.nn.functional.cross_entropy(logits[places - 1], torch.tensor(ids)[places], reduction="none")


def greedy(model, ids, begin):
    """What greedy decoding writes after ids[:begin], up to the token that ends it."""
    prompt = torch.tensor([ids[:begin]])
    written = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=len(ids) - begin, do_sample=False, eos_token_id=toy_module.END, pad_token_id=0
    )
    return written[0, begin:].tolist()


def samples(group, test):
    return [(ids, completions) for at, is_test, ids, completions in toy_module.toy_sequences() if at == group and is_test == test]


@pytest.mark.parametrize("ranks", quick(1, [2, 3, 4]))
def test_the_records_are_the_same_at_every_number_of_ranks(sequences, ranks):
    sequences.run("--error-budget", ranks=ranks, out=f"ranks-{ranks}")
    assert sequences.records(f"ranks-{ranks}") == sequences.records("run")


def test_a_run_that_stopped_within_a_task_ends_the_same(sequences):
    options = ["--error-budget", "--resume", "auto"]
    for _ in range(3):
        assert sequences.code(*options, "--stop-after", 1e-9, out="stopped") == 85
    sequences.run(*options, out="stopped")
    assert sequences.records("stopped") == sequences.records("run")


def test_activation_checkpointing_gives_the_same_bits(sequences):
    sequences.run("--error-budget", "--activation-checkpointing", out="checkpointed")
    assert sequences.records("checkpointed") == sequences.records("run")


def test_scores_are_what_transformers_decodes(sequences):
    model = merged_model(sequences)
    exact, nats, tokens = [], [], []
    with torch.no_grad():
        for group in range(4):
            found = samples(group, True)
            losses = [losses_of(model, ids, completions) for ids, completions in found]
            nats.append(float(sum(loss.double().sum() for loss in losses)))
            tokens.append(sum(map(len, losses)))
            exact.append(sum(all(greedy(model, ids[:end], begin) == ids[begin:end] for begin, end in completions) for ids, completions in found))
    assert 0 < sum(exact) < 40
    with h5py.File(sequences.path("runs", "run", "state-0003.h5")) as state:
        row = {name: values[3] for name, values in state["accuracy/after_merge"].items() if isinstance(values, h5py.Dataset) and values.ndim == 2}
        weights = state["accuracy/after_merge/weights/loss_per_token"][3]
    np.testing.assert_array_equal(row["exact_match"], exact)
    np.testing.assert_array_equal(weights, tokens)
    np.testing.assert_allclose(row["loss_per_token"], nats, rtol=1e-5)


def test_losses_are_means_over_tokens(sequences):
    with h5py.File(sequences.path("runs", "run", "tasks", "task-0000.h5")) as task:
        trained = {name: module.attrs["scale"] * module["B"][:] @ module["A"][:] for name, module in task["lora"].items()}
        recorded = task["metrics"].attrs["loss_trained"]
        assert "head" not in task and task["metrics"].attrs["classifier"].decode() == "none"
    model = model_at(sequences, {name: values.astype("f4") for name, values in trained.items()})
    with torch.no_grad():
        losses = torch.cat([losses_of(model, *sample) for sample in samples(0, False)])
    assert recorded == pytest.approx(float(losses.mean()), rel=1e-5)


def test_the_fisher_is_of_whole_sequences_over_all_tokens(sequences):
    with h5py.File(sequences.path("runs", "run", "tasks", "task-0000.h5")) as task:
        trained = {name: module.attrs["scale"] * module["B"][:] @ module["A"][:] for name, module in task["lora"].items()}
        recorded = {name: values[:] for name, values in task["fisher"].items()}
        assert task["fisher"].attrs["samples"] == toy_module.TRAIN
    model = model_at(sequences, {name: values.astype("f4") for name, values in trained.items()})
    matrices = [model.model.get_submodule(name).weight for name in recorded]
    sums, tokens = [torch.zeros_like(matrix) for matrix in matrices], 0
    for sample in samples(0, False):
        losses = losses_of(model, *sample)
        tokens += len(losses)
        for total, gradient in zip(sums, torch.autograd.grad(losses.sum(), matrices)):
            total.add_(gradient.square())
    for total, (name, values) in zip(sums, recorded.items()):
        expected = (total / tokens).numpy()
        assert np.linalg.norm(values - expected) < 1e-4 * np.linalg.norm(expected), name


def test_a_backbone_that_stays_as_it_is_is_measured_alone(sequences):
    frozen = ["--adapter", "none", "--perturbation", "none", "--merge", "none"]
    sequences.run(*frozen, out="zero-shot")
    model = model_at(sequences, {})
    with torch.no_grad():
        losses = torch.cat([losses_of(model, *sample) for sample in samples(3, True)])
    with h5py.File(sequences.path("runs", "zero-shot", "state-0003.h5")) as state:
        table = state["accuracy/after_merge"]
        found = table["loss_per_token"][3, 3] / table["weights/loss_per_token"][3, 3]
    assert found == pytest.approx(float(losses.mean()), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        ["--joint", "--perturbation", "none", "--merge", "none"],
        ["--penalty", "ewc:weight=1", "--merge", "none", "--perturbation", "none"],
        ["--perturbation", "stratified", "--merge", "average"],
        ["--curvature", "gram:scale=trace", "--nonfinite", "skip"],
        ["--precision", "bf16", "--tasks", 1],
        ["--validation", 0.2, "--curvature", "empirical:samples=5", "--tasks", 2],
    ],
)
def test_every_part_works_on_sequences(sequences, options, request):
    name = request.node.name.replace("[", "-").replace("]", "")
    sequences.run(*options, out=name)
    subprocess.run([INSPECT, sequences.path("runs", name)], check=True, capture_output=True)


@pytest.mark.parametrize("ranks", [1, 2])
def test_generated_tokens_are_those_of_transformers(sequences, tmp_path, ranks):
    out = tmp_path / "completions.jsonl"
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    command = [*launcher, PROGRAM, "generate", "--weights", sequences.path("runs", "run"), "--split", "all", "--limit", "6", "--out", out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    model, texts = merged_model(sequences), list(toy_module.toy_sequences())
    assert len(lines) == len(texts) == 120
    exact = {}
    for line, (group, _, ids, completions) in zip(lines, texts):
        begin, end = completions[-1]
        assert line["tokens"] == greedy(model, [*ids[:begin], *[0] * 6], begin), line
        assert line["completion"] == ids[begin:end] and line["ended"] == (line["tokens"][-1] == toy_module.END)
        assert line["exact_match"] == (line["tokens"] == line["completion"])
        exact[group] = exact.get(group, 0) + line["exact_match"]
    assert 0 < sum(exact.values()) < 120
    for group, count in exact.items():
        assert re.search(rf"move {1 + 2 * group} +30 +{count / 0.3:.1f} ", done.stdout), done.stdout


def test_what_cannot_be_continued_is_refused(sequences, toy, reference_run, tmp_path):
    def refused(*arguments):
        done = subprocess.run([PROGRAM, "generate", *map(str, arguments)], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    out = ["--out", tmp_path / "no.jsonl"]
    assert refused("--weights", sequences.path("runs", "run"))[0] == 2
    code, text = refused("--weights", reference_run, *out)
    assert code == 2 and "has no prompts: expected a pack of palimpsest pack chat" in text
    code, text = refused("--weights", reference_run, "--pack", sequences.path("pack.h5"), "--backbone", sequences.path("backbone"), *out)
    assert code == 3, text
    done = subprocess.run([PROGRAM, "predict", "--weights", sequences.path("runs", "run"), *map(str, out)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "palimpsest eval measures how well completions are predicted" in done.stderr
    assert not (tmp_path / "no.jsonl").exists()


def rouge_l(reference, text):
    lengths = np.zeros((len(reference) + 1, len(text) + 1), int)
    for i, one in enumerate(reference):
        for j, other in enumerate(text):
            lengths[i + 1, j + 1] = lengths[i, j] + 1 if one == other else max(lengths[i, j + 1], lengths[i + 1, j])
    return 2 * lengths[-1, -1] / (len(reference) + len(text)) if reference or text else 1


SCORES = ("exact-match", "rouge-l", "choice", "rouge-l")


@pytest.fixture(scope="module")
def scored_run(sequences):
    """The third task is scored by choice, the second and fourth by ROUGE-L; and the loss on a text of no task is measured."""
    tasks = [{"name": f"task {t + 1}", "classes": [f"move {1 + 2 * t}"], "score": score} for t, score in enumerate(SCORES)]
    toy_module.make_protocol(sequences.path("scored.json"), tasks=tasks)
    toy_module.make_sequences_pack(sequences.path("general.h5"), seed=7, groups=1)
    options = ["--protocol", sequences.path("scored.json"), "--general", sequences.path("general.h5")]
    sequences.run(*options, out="scored")
    return options


def test_tasks_are_scored_as_the_protocol_says(sequences, scored_run):
    model, expected = merged_model(sequences, "scored"), np.zeros(4)
    for group in range(4):
        found = samples(group, True)
        candidates = list(dict.fromkeys(tuple(ids[slice(*completions[-1])]) for ids, completions in found))
        most = max(end - begin for _, completions in found for begin, end in completions[-1:])
        for ids, completions in found:
            begin, end = completions[-1]
            written = greedy(model, [*ids[:begin], *[0] * most], begin)
            if SCORES[group] == "choice":
                with torch.no_grad():
                    texts = [([*ids[:begin], *candidate], [(begin, begin + len(candidate))]) for candidate in candidates]
                    losses = [float(losses_of(model, *text).double().sum()) for text in texts]
                expected[group] += candidates[np.argmin(losses)] == tuple(ids[begin:end])
            elif SCORES[group] == "rouge-l":
                expected[group] += rouge_l([token for token in ids[begin:end] if token != toy_module.END], [token for token in written if token != toy_module.END])
            else:
                expected[group] += all(greedy(model, ids[:last], first) == ids[first:last] for first, last in completions)
    with h5py.File(sequences.path("runs", "scored", "state-0003.h5")) as state:
        rows = state["accuracy/after_merge"]
        assert [name.decode() for name in rows["scores"]][:2] == ["task_score", "exact_match"]
        np.testing.assert_allclose(rows["task_score"][3], expected, rtol=1e-12)
    assert expected[1] + expected[3] > 0 and expected[2] > 0


def test_a_prompt_without_room_for_a_candidate_is_refused(sequences):
    ids = [*[2] * 28, 3, toy_module.END]
    path, texts = sequences.path("no-room.h5"), [*toy_module.toy_sequences(), (1, True, ids, [(28, 30)]), (1, True, [2, *ids[20:], 3, 4, 5], [(9, 14)])]
    toy_module.write_sequences(path, texts)
    tasks = [{"name": "task", "classes": ["move 3"], "score": "choice"}]
    toy_module.make_protocol(sequences.path("no-room.json"), tasks=tasks, train_per_class=0, test_per_class=0)
    text = sequences.run("--pack", path, "--protocol", sequences.path("no-room.json"), out="no-room", code=3)
    assert "task is scored by choice" in text and "found a prompt of 28 tokens and a candidate of 5" in text and "32 positions" in text
    one = [(1, False, [2, 3, 4], [(2, 3)]), (1, True, [2, 3, 4], [(2, 3)]), (1, True, [5, 6, 4], [(2, 3)])]
    toy_module.write_sequences(path, [*toy_module.toy_sequences(groups=1), *one])
    assert "expected two different completions at least" in sequences.run(
        "--pack", path, "--protocol", sequences.path("no-room.json"), out="no-room", code=3
    )
    # Classes that are labels: of a task with both, one is compared with the other.
    labels = [(group, test, [*range(2, 5), 6 + i % 3, 10 + group], [(4, 5)]) for i in range(16) for group in range(2) for test in (False, True)]
    toy_module.write_sequences(path, labels)
    tasks[0]["classes"] = ["move 1", "move 3"]
    toy_module.make_protocol(sequences.path("labels.json"), tasks=tasks, train_per_class=0, test_per_class=0)
    none = ["--adapter", "none", "--perturbation", "none", "--merge", "none"]
    sequences.run("--pack", path, "--protocol", sequences.path("labels.json"), *none, out="labels")
    with h5py.File(sequences.path("runs", "labels", "state-0000.h5"), locking=False) as state:
        assert state["accuracy/after_merge/task_score"][0, 0] == 16  # a model that knows nothing finds one of both likelier, always


def test_the_loss_on_a_text_of_no_task_is_measured(sequences, scored_run):
    def expected(model):
        with torch.no_grad():
            texts = [(ids, completions) for _, test, ids, completions in toy_module.toy_sequences(seed=7, groups=1) if test]
            return float(torch.cat([losses_of(model, *text) for text in texts]).mean())

    def recorded(rows, name, after):
        return rows[name][after, after] / rows[f"weights/{name}"][after, after]

    with h5py.File(sequences.path("runs", "scored", "state-0003.h5"), locking=False) as state:
        rows = state["accuracy/after_merge"]
        for after in (2, 3):
            assert recorded(rows, "general_loss", after) == pytest.approx(expected(merged_model(sequences, "scored", after)), rel=1e-5)
            assert recorded(rows, "general_loss_before_stream", after) == pytest.approx(expected(model_at(sequences, {})), rel=1e-5)
        assert np.count_nonzero(rows["general_loss"][:]) == 4
    shown = subprocess.run([INSPECT, sequences.path("runs", "scored")], check=True, capture_output=True, text=True).stdout
    assert "general loss" in shown and "before the stream" in shown


@pytest.mark.parametrize("ranks", quick(1, [2, 3, 4]))
def test_scores_of_generated_text_are_the_same_at_every_number_of_ranks(sequences, scored_run, ranks):
    sequences.run(*scored_run, ranks=ranks, out=f"scored-{ranks}")
    assert sequences.records(f"scored-{ranks}") == sequences.records("scored")


def test_a_run_keeps_its_general_text(sequences, scored_run):
    sequences.run(*scored_run, "--tasks", 1, out="general")
    toy_module.make_sequences_pack(sequences.path("other.h5"), seed=8, groups=1)
    text = sequences.run(*scored_run[:2], "--resume", "auto", "--general", sequences.path("other.h5"), out="general", code=3)
    assert "give the text that the run began with, or leave it out" in text
    sequences.run(*scored_run, "--resume", "auto", out="general")
    assert sequences.records("general") == sequences.records("scored")


def test_a_general_text_of_another_kind_is_refused(sequences, toy):
    assert "both must be packs of sequences" in sequences.run("--general", toy.path("pack.h5"), out="no", code=2)
    assert "leave its score out" in toy.run("--protocol", bad_protocol(toy), out="no-score", code=3)


def bad_protocol(toy):
    tasks = [{"name": f"task {t + 1}", "classes": [f"class {2 * t}", f"class {2 * t + 1}"], "score": "rouge-l"} for t in range(4)]
    toy_module.make_protocol(toy.path("scored.json"), tasks=tasks)
    return toy.path("scored.json")


def with_scores(sequences, name, rouge):
    tasks = [{"name": f"task {t + 1}", "classes": [f"move {1 + 2 * t}"]} | ({"score": "rouge-l"} if t + 1 in rouge else {}) for t in range(4)]
    toy_module.make_protocol(sequences.path(name), tasks=tasks)
    return ["--protocol", sequences.path(name)]


def test_a_stream_keeps_its_scores(sequences):
    late = with_scores(sequences, "late.json", rouge=[4])
    sequences.run(*late, "--tasks", 2, out="late")
    assert "use the protocol that the run began with" in sequences.run(
        *with_scores(sequences, "earlier.json", rouge=[1, 4]), "--resume", "auto", out="late", code=3
    )
    sequences.run(*late, "--resume", "auto", out="late")
    exact = with_scores(sequences, "exact.json", rouge=[])
    text = sequences.run(*exact, "--fork", sequences.path("runs", "late", "state-0002.h5"), out="forked", code=3)
    assert "its primary score is task_score, and with" in text and "let that score a task by rouge-l or choice" in text
    text = sequences.run(*late, "--fork", sequences.path("runs", "run", "state-0002.h5"), out="forked", code=3)
    assert "let that score every task by exact-match" in text


def test_a_run_that_continues_another_keeps_the_scores_of_its_tasks(sequences):
    first = with_scores(sequences, "first.json", rouge=[1])
    sequences.run(*first, "--tasks", 2, out="first-two")
    toy_module.make_protocol(sequences.path("last.json"), tasks=[{"name": "task 3", "classes": ["move 5"]}])
    sequences.run("--protocol", sequences.path("last.json"), "--continue", sequences.path("runs", "first-two"), out="continued")
    sequences.run(*first, "--tasks", 3, out="whole")
    for name in ("task_score", "exact_match", "loss_per_token"):
        rows = []
        for run in ("continued", "whole"):
            with h5py.File(sequences.path("runs", run, "state-0002.h5"), locking=False) as state:
                rows.append(state[f"accuracy/after_merge/{name}"][:])
                assert state["class_scores"][:].tolist() == [1, 0, 0]
        np.testing.assert_array_equal(*rows)


def test_samples_as_long_as_the_positions_are_scored_and_generated(sequences, tmp_path):
    ids = [2] * 31 + [toy_module.END]
    path, texts = sequences.path("long.h5"), [*toy_module.toy_sequences(), (1, False, ids, [(31, 32)]), (1, True, ids, [(31, 32)])]
    toy_module.write_sequences(path, texts)
    tasks = [{"name": "task", "classes": ["move 3"], "score": "rouge-l"}]
    toy_module.make_protocol(sequences.path("long.json"), tasks=tasks, train_per_class=0, test_per_class=0)
    sequences.run("--pack", path, "--protocol", sequences.path("long.json"), out="long")
    out = tmp_path / "out.jsonl"
    command = [PROGRAM, "generate", "--weights", sequences.path("runs", "long"), "--limit", "9", "--out", out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(out.read_text().splitlines()[-1])["tokens"]) == 1


def test_an_evaluation_has_the_same_numbers_at_every_number_of_ranks(sequences, scored_run, tmp_path):
    found = []
    for ranks in (1, 3):
        out = tmp_path / f"{ranks}.json"
        command = [MPIRUN, "-n", str(ranks), PROGRAM, "eval", "--weights", sequences.path("runs", "scored"), "--out", out]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        found.append(out.read_text())
    assert found[0] == found[1]


def test_weights_and_samples_of_different_kinds_are_refused(sequences, toy, reference_run, tmp_path):
    for weights, pack, said in (
        (sequences.path("runs", "run"), toy.path("pack.h5"), "without one the samples of"),
        (reference_run, sequences.path("pack.h5"), "which a decoder predicts"),
    ):
        command = [PROGRAM, "predict", "--weights", weights, "--pack", pack, "--out", tmp_path / "no.csv"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        assert done.returncode == 3 and said in done.stderr, done.stderr


def evaluated(sequences, weights):
    data = [f"--{name}={sequences.path(file)}" for name, file in (("pack", "pack.h5"), ("protocol", "protocol.json"), ("backbone", "backbone"))]
    command = [PROGRAM, "eval", "--weights", weights, *data, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=sequences.folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_recorded_and_merged_weights_are_evaluated_again(sequences, tmp_path):
    of_run = evaluated(sequences, sequences.path("runs", "run"))
    with h5py.File(sequences.path("runs", "run", "state-0003.h5")) as state:
        exact = state["accuracy/after_merge/exact_match"][3]
    text = json.dumps(of_run)
    assert "exact_match" in text and "loss_per_token" in text
    merged = tmp_path / "merged.h5"
    subprocess.run([MERGE, sequences.path("runs", "run"), "--rule", "average", "--out", merged], check=True, capture_output=True)
    again = evaluated(sequences, merged)
    assert again.keys() == of_run.keys()
    assert exact.sum() > 0


def test_the_merged_model_opens_as_a_language_model(sequences, tmp_path):
    done = subprocess.run([EXPORT, sequences.path("runs", "run"), "--out", tmp_path / "merged"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "the backbone's output layer answers" in done.stdout
    merged, info = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    ids = torch.arange(1, 12)[None]
    with torch.no_grad():
        torch.testing.assert_close(merged.eval()(ids).logits, merged_model(sequences)(ids).logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--objective", "classes"], "head = output is the backbone's output layer"),
        (["--objective", "classes", "--head", "linear", "--classifier", "local"], "has prompts with completions, but objective = classes trains classes"),
        (["--head", "linear"], "set head to output"),
        (["--classifier", "ridge"], "set classifier to none"),
        (["--curvature", "expected-exact"], "set curvature to empirical"),
        (["--scenario", "domain-incremental"], "leave scenario out"),
    ],
)
def test_what_sequences_cannot_have_is_refused(sequences, options, said):
    assert said in sequences.run(*options, out="no", code=2)
    assert not os.path.exists(sequences.path("runs", "no"))


def test_an_encoder_and_a_pack_of_texts_are_refused(sequences, toy):
    assert "which a decoder predicts" in sequences.run("--backbone", toy.path("backbone"), out="no", code=3)
    text = toy.run("--objective", "next-token", "--head", "output", "--classifier", "none", out="no-sequences", code=2)
    assert "has samples with classes" in text
