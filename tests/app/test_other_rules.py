"""A run's tasks merged by several rules, and evaluated in one call: palimpsest merge RUN --rule RULE,... --eval."""

import json
import os
import subprocess

import pytest
from program import PROGRAM

TASKS = 4


def call(*command, code=0, cwd=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, cwd=cwd)
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def inputs(toy):
    return "--pack", toy.path("pack.h5"), "--protocol", toy.path("protocol.json"), "--backbone", toy.path("backbone")


def test_the_table_has_the_numbers_of_each_rule_merged_and_evaluated_alone(toy, reference_run, tmp_path):
    found = json.loads(call(PROGRAM, "merge", reference_run, "--rule", "average,none", "--eval", "--json", cwd=tmp_path))
    own, *others = found["rules"]
    assert own["is_own"] and [rule["rule"] for rule in others] == ["average", "none"]
    evaluated = json.loads(call(PROGRAM, "eval", "--weights", reference_run, "--json"))
    assert own["all"] == evaluated["all"] and own["tasks"] == evaluated["tasks"]
    for rule in others:
        merged = tmp_path / f"{rule['rule']}.h5"
        alone = json.loads(call(PROGRAM, "merge", reference_run, "--rule", rule["rule"], "--out", merged, "--json"))
        assert rule["alphas"] == [task["alpha"] for task in alone["tasks"]]
        evaluated = json.loads(call(PROGRAM, "eval", "--weights", merged, *inputs(toy), "--json"))
        assert rule["all"] == evaluated["all"] and rule["tasks"] == evaluated["tasks"]
    assert own["all"] != others[0]["all"] != others[1]["all"]


@pytest.mark.slow
def test_any_number_of_ranks_gives_the_same_table(toy, reference_run):
    flags = ["--weights", reference_run, "--rule", "average,closed-form:by=module"]
    alone = call(PROGRAM, "eval", *flags)
    mpirun = os.path.join(os.path.dirname(__file__), "..", "..", "launch", "mpirun.sh")
    assert call(mpirun, "-n", 3, PROGRAM, "eval", *flags) == alone
    lines = [line.split() for line in alone.splitlines()]
    assert [line[0] for line in lines if len(line) > 2 and line[1] == "task"] == [str(t + 1) for t in range(TASKS)]
    assert "To rank rules," in alone


def test_a_rule_that_changed_on_the_way_is_not_taken_for_one_rule(toy):
    toy.run("--tasks", 2, out="rules-first")
    toy.run("--fork", toy.path("runs", "rules-first"), "--merge", "average", "--tasks", 3, out="rules-then")
    found = json.loads(call(PROGRAM, "eval", "--weights", toy.path("runs", "rules-then"), "--rule", "average", "--json"))
    own, average = found["rules"]
    assert own["rule"] == "closed-form, then average" and average["rule"] == "average"
    assert own["alphas"] != average["alphas"]


def test_the_run_that_answers_by_another_classifier_is_named(toy):
    toy.run("--tasks", 2, "--classifier", "ridge,local", out="rules-ridge")
    text = call(PROGRAM, "merge", toy.path("runs", "rules-ridge"), "--rule", "average", "--eval")
    assert "by the heads as they were trained; the run itself answers by ridge" in " ".join(text.split())


def test_a_rule_that_the_records_do_not_allow_says_why_beside_the_others(reference_run):
    text = call(PROGRAM, "merge", reference_run, "--rule", "ties,average", "--eval")
    assert "ties: merge rule 'ties' cannot be used: it is defined for tasks whose training starts from the" in text
    assert [line.split()[2] for line in text.splitlines() if line.startswith("2  ties")] == ["-"]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--rule", "averge", "--eval"], "did you mean 'average'?"),
    (["--rule", "average,average", "--eval"], "is given twice"),
    (["--rule", "average,none"], "expected one rule, found several: --eval compares them"),
    (["--eval"], "--eval compares rules over all tasks of a run"),
    (["--rule", "average", "--eval", "--out", "merged.h5"], "evaluated by palimpsest eval --weights FILE"),
    (["--rule", "average", "--eval", "--tasks", "1,2"], "--eval compares rules over all tasks of a run"),
])
def test_what_cannot_be_compared_is_refused(reference_run, arguments, message):
    assert message in call(PROGRAM, "merge", reference_run, *arguments, code=2)


def test_other_classifiers_and_other_weights_are_refused(toy, reference_run):
    refused = ["--rule", "average", *inputs(toy)]
    assert "leave --classifier out" in call(PROGRAM, "eval", "--weights", reference_run, "--classifier", "ridge", *refused, code=2)
    state = os.path.join(reference_run, f"state-{TASKS - 1:04}.h5")
    assert "expected a run folder after --weights" in call(PROGRAM, "eval", "--weights", state, *refused, code=2)
