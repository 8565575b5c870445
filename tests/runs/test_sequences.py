"""A run on prompts with completions in Python: its scores have their own names, and its metrics are palimpsest inspect's."""

import shutil

import h5py
import made_records
import numpy as np
import palimpsest
import pytest


@pytest.fixture(scope="module")
def sequences_run(tmp_path_factory):
    """With the loss on a general text; the second and fourth task are scored by ROUGE-L, but not in the run beside it, `plain`."""
    import toy
    from program import Toy

    made = Toy(str(tmp_path_factory.mktemp("runs-sequences") / "toy"), toy.make_sequences)
    tasks = [{"name": f"task {t + 1}", "classes": [f"move {1 + 2 * t}"]} | ({"score": "rouge-l"} if t % 2 else {}) for t in range(4)]
    toy.make_protocol(made.path("scored.json"), tasks=tasks)
    toy.make_sequences_pack(made.path("general.h5"), seed=7, groups=1)
    made.run("--protocol", made.path("scored.json"), "--general", made.path("general.h5"), out="scored")
    made.run(out="plain")
    return lambda name: made.path("runs", name)


@pytest.mark.parametrize(("name", "primary"), [("plain", "exact_match"), ("scored", "task_score")])
def test_metrics_are_those_of_inspect(sequences_run, inspect, assert_metrics, name, primary):
    run = palimpsest.open(sequences_run(name))
    assert_metrics(inspect(sequences_run(name)), run)
    assert not [metric for metric in run.metrics.index if "given_task" in metric or "top5" in metric or "identity" in metric]
    last = run.accuracy.query("moment == 'after merge' and after_task == 3")
    assert run.metrics.loc["last", "none"] == pytest.approx(last[primary].mean())
    assert run.metrics.loc["last_exact_match", "none"] == pytest.approx(last["exact_match"].mean())
    weights = last["loss_per_token_weight"]
    assert run.metrics.loc["last_loss_per_token", "none"] == pytest.approx((last["loss_per_token"] * weights).sum() / weights.sum())
    assert np.isnan(run.metrics.loc["last_general_loss", "none"]) == (name == "plain")


def test_matrices_are_of_any_score(sequences_run, tmp_path):
    shutil.copytree(sequences_run("scored"), tmp_path / "scored")
    with h5py.File(tmp_path / "scored" / "state-0003.h5", "r+") as state:  # the toy's score is exact match: now half a sample more
        rows = state["accuracy/after_merge"]
        made_records.put(rows, "task_score", rows["task_score"][()] + 0.5 * (rows["samples"][()] > 0))
    made_records.seal(tmp_path / "scored")
    run = palimpsest.open(tmp_path / "scored")
    assert run.matrix().equals(run.matrix(score="task_score")) and not run.matrix().equals(run.matrix(score="exact_match"))
    after = run.accuracy.query("moment == 'after merge'")
    for score in ("task_score", "exact_match", "correct_tokens", "loss_per_token", "general_loss"):
        expected = after.pivot(index="after_task", columns="task", values=score)
        assert np.array_equal(run.matrix(score=score), expected, equal_nan=True)
    assert np.array_equal(np.isfinite(run.matrix(score="general_loss")), np.eye(4, dtype=bool))
    assert run.matrix(score="general_loss_before_stream").stack().nunique() == 1
    with pytest.raises(palimpsest.InputError, match="task_score, exact_match, correct_tokens, loss_per_token, general_loss"):
        run.matrix(score="correct")


def test_classes_of_the_pack_have_exact_match(sequences_run):
    run = palimpsest.open(sequences_run("plain"))
    by_class = run.by_class()
    assert list(by_class.columns) == ["after_task", "task", "class", "samples", "correct", "exact_match"]
    assert by_class.query("after_task == 3")["exact_match"].tolist() == run.matrix().loc[3].tolist()
    assert palimpsest.open(sequences_run("scored")).by_class().empty


@pytest.mark.parametrize(("name", "title"), [("plain", "exact match"), ("scored", "task score")])
def test_it_shows_what_its_score_is_called(sequences_run, name, title):
    run = palimpsest.open(sequences_run(name))
    assert f"  {title} in %: last {100 * run.metrics.loc['last', 'none']:.1f}, " in repr(run)
    assert f">{title} in %<" in run._repr_html_()
