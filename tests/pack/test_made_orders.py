"""palimpsest pack protocol: tasks of unequal size, and orders from a file or from numpy's generator; what is left over is named."""

import json
import pathlib

import pytest
from image_support import main
from palimpsest.pack.protocol import numpy_order
from text_support import token_pack

FOLDER = pathlib.Path(__file__).parents[2] / "configs" / "protocols"
NAMES = [f"c{number}" for number in range(10)]


@pytest.fixture
def protocol(tmp_path, capsys):
    """protocol(options, counts, code=0): (the protocol's classes by task, the protocol, what stderr says)."""

    def made(*options, counts=None, code=0):
        pack = token_pack(tmp_path / "pack.h5", counts or dict.fromkeys(NAMES, (1, 1)))
        out = tmp_path / "protocol.json"
        found = main(["protocol", "--pack", str(pack), "--name", "n", "--train", "0", "--test", "0", "--out", str(out), *map(str, options)])
        err = capsys.readouterr().err
        assert found == code, err
        if code:
            return None, None, err
        read = json.loads(out.read_text())
        return [task["classes"] for task in read["tasks"]], read, err

    return made


def sizes(tasks):
    return [len(classes) for classes in tasks]


def test_a_base_and_increments_take_all_classes_and_name_the_rest(protocol):
    tasks, read, err = protocol("--base", 4, "--increment", 2)
    assert sizes(tasks) == [4, 2, 2, 2] and err == ""
    assert read["order"] == "sha256 of class name and seed 1" and [task["name"] for task in read["tasks"]] == [f"task {t}" for t in (1, 2, 3, 4)]
    whole, *_ = protocol("--tasks", 1, "--classes-per-task", 10)
    assert sum(tasks, []) == whole[0]
    tasks, _, err = protocol("--base", 4, "--increment", 4)
    assert sizes(tasks) == [4, 4] and f"2 classes are in none of the 2 tasks of 4: {', '.join(whole[0][8:])}" in err
    tasks, _, err = protocol("--base", 5, "--increment", 2, "--tasks", 2, "--seed", 7)
    assert sizes(tasks) == [5, 2] and "3 classes are in none of the 2 tasks of 5, 2: " in err and tasks[0] != whole[0][:5]
    tasks, _, err = protocol("--base", 4, "--increment", 3, "--tasks", 4)
    assert sizes(tasks) == [4, 3, 3] and "enough for 3 of 4 tasks of 4, 3, 3, 3 classes; the protocol has 3" in err


def test_tasks_may_have_sizes_of_their_choice(protocol):
    tasks, _, err = protocol("--classes-per-task", "5,2,3")
    assert sizes(tasks) == [5, 2, 3] and err == ""
    tasks, _, err = protocol("--classes-per-task", "5,2,2,2")
    assert sizes(tasks) == [5, 2, 2] and "enough for 3 of 4 tasks of 5, 2, 2, 2 classes" in err and "1 class is in none of the 3 tasks of 5, 2, 2" in err
    _, _, err = protocol("--classes-per-task", "9")
    assert "1 class is not in the task of 9: " in err


@pytest.mark.parametrize(
    "options, message",
    [
        (["--base", 4], "--base, --increment: expected both or neither"),
        (["--base", 4, "--increment", 2, "--classes-per-task", 2], "--classes-per-task cannot be combined with --base and --increment"),
        (["--classes-per-task", "5,2", "--tasks", 3], "--tasks: expected 2, because --classes-per-task has 2 numbers, found 3"),
        (["--domains", "--base", 4, "--increment", 2], "--base cannot be combined with --domains"),
        (["--domains", "--order", "numpy:0"], "--order cannot be combined with --domains"),
        (["--order", "numpy:x"], "--order: expected numpy:SEED with a whole number, such as numpy:0, found 'numpy:x'"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(protocol, options, message):
    assert message in protocol(*options, code=2)[2]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--base", 11, "--increment", 2], "enough for 0 of 1 task of 11 classes. Use fewer classes per task (--classes-per-task, --base), or make a larger pack"),
        (["--order", "no-such-file"], "no-such-file: expected a file with one class name per line, found nothing there. Correct the path, or give numpy:SEED"),
    ],
)
def test_options_that_do_not_fit_the_pack_are_refused(protocol, options, message):
    assert message in protocol(*options, code=3)[2]


def test_sizes_that_are_no_numbers_are_named(protocol, capsys):
    with pytest.raises(SystemExit):
        protocol("--classes-per-task", "2,x")
    assert "argument --classes-per-task: expected N or N,N,..., found '2,x'" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "5,0", "5,", "x"])
def test_a_task_needs_classes(protocol, value):
    with pytest.raises(SystemExit) as stop:
        protocol("--classes-per-task", value)
    assert stop.value.code == 2


def test_a_file_orders_the_classes(protocol, tmp_path):
    (tmp_path / "order.txt").write_text("\ufeff" + "\r\n".join(NAMES[::-1]) + "\r\n\r\n", encoding="utf-8")
    tasks, read, err = protocol("--order", tmp_path / "order.txt", "--base", 4, "--increment", 2)
    assert sum(tasks, []) == NAMES[::-1] and read["order"] == "the lines of order.txt" and err == ""
    tasks, _, err = protocol("--order", tmp_path / "order.txt", "--base", 4, "--increment", 2, counts=dict.fromkeys(NAMES, (1, 1)) | {"c5": (1, 0)})
    assert sum(tasks, []) == [name for name in NAMES[::-1] if name != "c5"][:8] and "c5 (1 and 0)" in err and ": c0" in err


@pytest.mark.parametrize(
    "lines, message",
    [
        ([*NAMES, "c11x"], "order.txt, class 11: the pack has no class 'c11x'; the nearest is 'c1'"),
        ([*NAMES, "c3"], "order.txt, class 11: 'c3' is already there as class 4. Name every class once"),
        (NAMES[:8], "order.txt: expected all 10 classes of the pack, found 8. Add 'c8', 'c9'; --tasks leaves the last ones out"),
        (["c0 ", *NAMES[1:]], "order.txt, class 1: the pack has no class 'c0 '; the nearest is 'c0'"),
        ([], "expected all 10 classes of the pack, found 0"),
    ],
)
def test_lines_without_a_class_and_classes_without_a_line_are_refused(protocol, tmp_path, lines, message):
    (tmp_path / "order.txt").write_text("\n".join(lines))
    assert message in protocol("--order", tmp_path / "order.txt", code=3)[2]


@pytest.mark.parametrize("name", ["cifar-100-10-splitlora", "imagenet-r-10-splitlora", "cub-200-10-splitlora"])
def test_numpys_order_is_that_of_the_protocols_of_splitlora(name):
    expected = [each for task in json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["tasks"] for each in task["classes"]]
    assert numpy_order(sorted(expected), 0) == expected


def test_numpys_order_is_said_and_written_out(protocol):
    tasks, read, _ = protocol("--order", "numpy:3", "--base", 4, "--increment", 2)
    assert sum(tasks, []) == numpy_order(NAMES, 3) != numpy_order(NAMES, 4)
    assert read["order"].startswith("numpy's Generator(PCG64(3)).shuffle of the pack's classes, drawn by numpy ")


def test_the_shape_of_the_tasks_is_required(protocol):
    _, _, err = protocol(code=2)
    assert "expected --tasks, --classes-per-task, --base with --increment, or --domains, found none of them" in err
    assert f"{len(NAMES)} classes of the pack have enough samples" in err
    tasks, read, err = protocol("--tasks", 3)
    assert sizes(tasks) == [len(NAMES) // 3] * 3 and (read["train_per_class"], read["test_per_class"]) == (0, 0)
    tasks, *_ = protocol("--classes-per-task", 2)
    assert sizes(tasks) == [2] * (len(NAMES) // 2)
    _, _, err = protocol("--tasks", len(NAMES))
    assert f"enough for {len(NAMES) // 2} of {len(NAMES)} tasks of 2 classes" in err
