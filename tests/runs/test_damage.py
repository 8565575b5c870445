"""What is damaged is refused, with the file and the object in the message; and nothing else of the run is."""

import json
import os
import shutil
import sys

import h5py
import numpy as np
import palimpsest
import pytest

TASK, STATE = "tasks/task-0001.h5", "state-0001.h5"


def flip(path, name, attribute=None):
    """Changes one bit of a dataset's numbers, not its checksum; or an attribute."""
    with h5py.File(path, "r+") as file:
        if attribute:
            file[name].attrs[attribute] = np.bytes_("0" * 64)
            return
        offset = file[name].id.get_offset()
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def remove(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]


MODULE = "encoder.layer.0.attention.self.key"
READERS = {
    f"/lora/{MODULE}/A": (TASK, lambda run: run.tasks[1].delta[MODULE]),
    f"/lora/{MODULE}/B": (TASK, lambda run: run.tasks[1].lora[MODULE]),
    f"/fisher/{MODULE}": (TASK, lambda run: run.tasks[1].fisher[MODULE]),
    "/head/weight": (TASK, lambda run: run.tasks[1].head),
    "/merge/coefficients": (TASK, lambda run: run.alphas),
    "/merge/rule": (TASK, lambda run: run.tasks[1].merge),
    "/task/classes": (TASK, lambda run: run.tasks[1].classes),
    "/config": (TASK, lambda run: run.config),
    "/metrics/after_merge/correct": (TASK, lambda run: run.tasks[1].evaluation()),
    f"/weights/{MODULE}": (STATE, lambda run: run.weights()),
    "/memory/curvature/empirical:scale=secant/s0": (STATE, lambda run: run.state.s0[MODULE]),
    "/memory_by_class/head/linear/weight": (STATE, lambda run: run.state.heads),
    "/accuracy/after_merge/correct": (STATE, lambda run: run.metrics),
    "/classes": (STATE, lambda run: run.state.classes),
}


@pytest.mark.parametrize("name", READERS)
def test_a_flipped_bit_is_found_where_it_is_read(name, golden):
    file, read = READERS[name]
    flip(golden / file, name)
    run = palimpsest.open(golden)
    with pytest.raises(palimpsest.InputError, match="expected CRC-32C [0-9]+, found [0-9]+[.] The file is damaged") as caught:
        read(run)
    assert str(caught.value).startswith(f"{golden / file}: {name}: ")
    assert run.tasks[0].delta[MODULE].shape == (16, 16), "what isn't damaged is read"
    with pytest.raises(palimpsest.InputError, match=rf"{file}: expected SHA-256 [0-9a-f]+ \(manifest\.json\), found"):
        run.check()


@pytest.mark.parametrize("name", ["/head/weight", "/merge/coefficients", "/config", "/accuracy/after_merge/correct"])
def test_a_missing_object_is_named(name, golden):
    file, read = READERS[name]
    remove(golden / file, name)
    if name == "/merge/coefficients":
        assert np.isnan(palimpsest.open(golden).alphas[1]), "which a task without an adapter lacks, too"
        return
    with pytest.raises(palimpsest.InputError, match=rf"{file}: {name}"):
        read(palimpsest.open(golden))


def without_checksum(dataset):
    del dataset.attrs["crc32c"]


def of_another_type(dataset):
    """A text where numbers belong, a number where a text does."""
    name, file = dataset.name, dataset.file
    text = "S" in dataset.dtype.str or h5py.check_string_dtype(dataset.dtype) is not None
    del file[name]
    file[name] = np.arange(3.0) if text else np.bytes_("three")


def without_dimensions(dataset):
    name, file, checksum = dataset.name, dataset.file, dataset.attrs["crc32c"]
    del file[name]
    file.create_dataset(name, data=np.float32(3)).attrs["crc32c"] = checksum


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("change", [without_checksum, of_another_type, without_dimensions], ids=lambda change: change.__name__)
def test_an_object_of_another_kind_is_refused(name, change, golden):
    file, read = READERS[name]
    with h5py.File(golden / file, "r+") as opened:
        change(opened[name])
    run = palimpsest.open(golden)
    with pytest.raises(palimpsest.InputError, match=file):
        read(run)


def test_an_attribute_of_another_type_is_named(golden):
    with h5py.File(golden / TASK, "r+") as file:
        file["merge"].attrs["numerator"] = "a text"
    with pytest.raises(palimpsest.InputError, match="/merge"):
        palimpsest.open(golden).tasks[1].merge  # noqa: B018


def test_files_that_are_missing_cut_short_or_replaced(golden):
    path = golden / TASK
    whole = path.read_bytes()
    run = palimpsest.open(golden)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(palimpsest.InputError, match=r"task-0001\.h5: expected a complete HDF5 file, but it cannot be opened"):
        _ = run.tasks[1].merge
    path.write_bytes((golden / "tasks/task-0000.h5").read_bytes())
    with pytest.raises(palimpsest.InputError, match=r"task-0001\.h5: /@content_sha256: expected [0-9a-f]+ \(manifest\.json\), found .*The file was replaced"):
        _ = run.tasks[1].merge
    path.unlink()
    with pytest.raises(palimpsest.InputError, match=r"task-0001\.h5: expected a file of the run, found nothing there"):
        _ = run.tasks[1].merge
    with pytest.raises(palimpsest.InputError, match=r"task-0001\.h5: expected a file of the run, but it cannot be read"):
        run.check()
    assert run.tasks[0].merge.alpha == 1


def test_a_record_of_another_task_is_refused(golden):
    with h5py.File(golden / TASK, "r+") as file:
        file["task"].attrs["index"] = np.int64(0)
    with pytest.raises(palimpsest.InputError, match=r"task-0001\.h5: /task@index: expected 1, found 0"):
        _ = palimpsest.open(golden).tasks[1].classes


@pytest.mark.parametrize(
    "change, message",
    [
        ({"files": {}}, r"files: expected an entry for each of 2 tasks done and for the newest state, found none for tasks/task-0000\.h5"),
        ({"tasks_done": -1}, "tasks_done: expected a whole number of 0 or more, found -1"),
        ({"tasks_done": "2"}, "tasks_done: expected a whole number of 0 or more, found '2'"),
        ({"palimpsest_type": "run"}, "palimpsest_type: expected 'manifest', found 'run'"),
        ({"files": {"../x.h5": {}}}, r"files: expected paths inside the run folder, found '\.\./x\.h5'"),
        ({"files": {"x.h5": {"sha256": "0"}}}, r"files\.x\.h5\.sha256: expected 64 hexadecimal digits, found '0'"),
    ],
)
def test_a_damaged_manifest(change, message, golden):
    path = golden / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(palimpsest.InputError, match=r"manifest\.json: " + message):
        palimpsest.open(golden)


def test_a_state_that_is_damaged_or_of_another_type(golden):
    path = golden / STATE
    whole = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(palimpsest.InputError, match=r"state-0001\.h5: expected a complete HDF5 file"):
        palimpsest.open(golden)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file.attrs["palimpsest_type"] = np.bytes_("task")
    with pytest.raises(palimpsest.InputError, match=r"state-0001\.h5: /@palimpsest_type: expected 'state', found 'task'"):
        palimpsest.open(golden)


def test_what_is_no_run(golden, tmp_path):
    for path, message in (
        (tmp_path / "nowhere", "expected a run folder with manifest.json or run.json, found nothing there"),
        (golden / "run.json", "found a file"),
        (golden / "tasks", f"found a part of the run folder {golden}. Give that folder"),
        (golden.parent, f"found a folder of 1 run. Give {golden}"),
    ):
        with pytest.raises(palimpsest.InputError) as caught:
            palimpsest.open(path)
        assert message in str(caught.value)
    shutil.rmtree(golden)
    with pytest.raises(palimpsest.InputError, match=r"found no manifest\.json there"):
        palimpsest.open(tmp_path)


def test_damaged_lines_of_the_log_are_listed(golden):
    path = golden / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{broken\n", "3\n", *lines[1:], '{"event": "being wri']))
    with pytest.warns(UserWarning, match=r"metrics\.jsonl: skipped, because not JSON objects: lines 2, 3$"):
        frame = palimpsest.open(golden).log
    assert len(frame) == len(lines)
    path.write_text("".join([lines[0], "{broken\n", *lines[1:]]))
    with pytest.warns(UserWarning, match=r"not JSON objects: line 2$"):
        assert len(palimpsest.open(golden).log) == len(lines)
    path.unlink()
    assert palimpsest.open(golden).log.empty


def test_times_that_are_none_are_empty_and_an_empty_log_has_its_columns(golden):
    path = golden / "metrics.jsonl"
    path.write_text('{"event":"step","time":"abc"}\n{"event":"step","time":1e30}\n{"event":"step"}\n{"event":"step","time":1}\n')
    assert palimpsest.open(golden).log["time"].isna().tolist() == [True, True, True, False]
    path.write_text("")
    assert palimpsest.open(golden).log.query("event == 'step'").empty


def test_a_manifest_of_very_many_tasks_has_a_short_message(golden):
    manifest = json.loads((golden / "manifest.json").read_text())
    (golden / "manifest.json").write_text(json.dumps(manifest | {"tasks_done": 10_000_000}))
    with pytest.raises(palimpsest.InputError, match="10,000,000 tasks done") as caught:
        palimpsest.open(golden)
    assert len(str(caught.value)) < 2000


def test_run_json_has_settings_or_is_damaged(golden):
    (golden / "run.json").write_text('{"config": 3}')
    with pytest.raises(palimpsest.InputError, match="config: expected an object, found 3"):
        palimpsest.open(golden).started  # noqa: B018


def test_run_json_may_be_missing_but_not_damaged(golden):
    (golden / "run.json").write_text("{")
    with pytest.raises(palimpsest.InputError, match=r"run\.json: expected a JSON object, but it cannot be read"):
        _ = palimpsest.open(golden).started
    (golden / "run.json").unlink()
    run = palimpsest.open(golden)
    assert run.started == {} and run.config["seed"] == 1
    with pytest.raises(palimpsest.InputError, match="run.json with the path of the backbone, found none"):
        palimpsest.load_backbone(run)


def test_names_that_are_not_there_are_refused_with_those_that_are(golden):
    run = palimpsest.open(golden)
    with pytest.raises(KeyError, match=f"no task vectors 'blocks.0.key'; there are {MODULE}, "):
        _ = run.tasks[0].delta["blocks.0.key"]
    with pytest.raises(IndexError, match="task 2: the run has 2 finished tasks, counted from 0"):
        _ = run.tasks[2]
    assert run.tasks[-1] is run.tasks[1] and [task.index for task in run.tasks[:]] == [0, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="counts /proc/self/fd")
def test_one_file_stays_open_until_the_run_is_freed(golden):
    def open_files():
        return [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]

    run = palimpsest.open(golden)
    assert repr(run) and run.weights(0) and [task.delta[MODULE] for task in run.tasks]
    assert [os.path.basename(path) for path in open_files() if path.startswith(str(golden))] == [STATE]
    del run
    import gc

    gc.collect()
    assert not any(path.startswith(str(golden)) for path in open_files())
