"""The page of a run of a hundred tasks takes little longer than that of ten: most of a page's time is its charts, and each shows all tasks."""

import os
import resource

import pytest

FEW, MANY, MOST_TIMES = 10, 100, 2.5


@pytest.mark.slow
def test_a_hundred_tasks_take_little_longer_than_ten(make_long_run, start_report):
    def processor_seconds(run):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output, errors = (process := start_report(run)).communicate(timeout=120)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process.returncode == 0, output + errors
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    few, many = make_long_run(FEW, "few"), make_long_run(MANY, "many")
    pairs = [(processor_seconds(few), processor_seconds(many)) for _ in range(3)]
    assert min(long / short for short, long in pairs) <= MOST_TIMES
    text = (many / "report.html").read_text()
    assert text.count("<title>after ") == MANY * (MANY + 1) and os.path.getsize(many / "report.html") < 4e6
