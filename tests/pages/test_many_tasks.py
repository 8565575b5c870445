"""A run of a hundred tasks has a page in five seconds of one processor."""

import os
import resource

import pytest

TASKS, MOST_SECONDS = 100, 5.0


@pytest.mark.slow
def test_a_hundred_tasks_take_five_seconds(make_long_run, start_report):
    run = make_long_run(TASKS)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output, errors = (process := start_report(run)).communicate(timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, output + errors
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= MOST_SECONDS
    text = (run / "report.html").read_text()
    assert text.count("<title>after ") == TASKS * (TASKS + 1) and os.path.getsize(run / "report.html") < 4e6
