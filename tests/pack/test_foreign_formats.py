"""Distributions given in a form that is not read: named as what they are, with what to do instead."""

import gzip
import io
import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from image_support import cifar, encoded, folder, idx, noise, shard

PICKLE = pickle.dumps({b"data": [], b"fine_labels": []}, protocol=2)
MATLAB = b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(90)
CIFAR10 = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch", "batches.meta"]
CIFAR100 = ["train", "test", "meta", "file.txt~"]


def files(root, names, data):
    root.mkdir(parents=True)
    for name in names:
        (root / name).write_bytes(data)
    return root


def archive(path, names, mode="w:gz", data=PICKLE):
    with tarfile.open(path, mode) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def zipped(path, names):
    with zipfile.ZipFile(path, "w") as out:
        for name in names:
            out.writestr(name, b"x")
    return path


PYTHON_100 = ("the Python version of CIFAR-100 (cifar-100-python)", "Get the binary version, cifar-100-binary.tar.gz")
PYTHON_10 = ("the Python version of CIFAR-10 (cifar-10-batches-py)", "Get the binary version, cifar-10-binary.tar.gz")
CIFAR = {
    "100": (lambda t: files(t / "cifar-100-python", CIFAR100, PICKLE), PYTHON_100),
    "100 renamed": (lambda t: files(t / "my data", CIFAR100, PICKLE), PYTHON_100),
    "100 above": (lambda t: files(t / "cifar-100-python", CIFAR100, PICKLE).parent, PYTHON_100),
    "100 with its archive, as torchvision leaves them": (
        lambda t: archive(files(t / "cifar-100-python", CIFAR100, PICKLE).parent / "x.tar.gz", ["cifar-100-python/train"]).parent,
        PYTHON_100,
    ),
    "100 file": (lambda t: files(t / "cifar-100-python", CIFAR100, PICKLE) / "train", PYTHON_100),
    "100 archive": (lambda t: archive(t / "cifar-100-python.tar.gz", ["cifar-100-python/", "cifar-100-python/train"]), PYTHON_100),
    "100 plain archive": (lambda t: archive(t / "c.tar", ["./cifar-100-python/meta"], "w"), PYTHON_100),
    "10": (lambda t: files(t / "cifar-10-batches-py", CIFAR10, PICKLE), PYTHON_10),
    "10 file": (lambda t: files(t / "cifar-10-batches-py", CIFAR10, PICKLE) / "data_batch_3", PYTHON_10),
    "10 archive": (lambda t: archive(t / "x.tgz", ["cifar-10-batches-py/data_batch_4"]), PYTHON_10),
    "10 Matlab": (lambda t: files(t / "m", [f"{n}.mat" for n in CIFAR10], MATLAB), ("the Matlab version of CIFAR-10 (cifar-10-batches-mat)",)),
    "100 Matlab": (lambda t: files(t / "m", ["train.mat", "test.mat", "meta.mat"], MATLAB), ("the Matlab version of CIFAR-100",)),
    "binary archive": (lambda t: archive(t / "x.tar.gz", ["cifar-100-binary/train.bin"]), ("binary version of CIFAR in an archive", "Unpack it, and give its folder cifar-100-binary")),
    "binary above": (lambda t: cifar(t / "cifar-100-binary", 100).parent, ("a folder with cifar-100-binary/ in it", "/cifar-100-binary")),
}  # fmt: skip
OTHERS = {
    "MNIST .pt": ("training.pt", lambda p: zipped(p, ["training/data.pkl", "training/version"]), ("a PyTorch file", "Write its images as files into train/CLASS/")),
    "old .pt": ("training.pt", lambda p: p.write_bytes(PICKLE), ("a Python pickle", "train/CLASS/")),
    "mnist.npz": ("mnist.npz", lambda p: np.savez(p, x_train=np.zeros(3)), ("NumPy arrays (.npz)",)),
    ".npy": ("x.npy", lambda p: np.save(p, np.zeros(3)), ("a NumPy array",)),
    ".mat": ("train_32x32.mat", lambda p: p.write_bytes(MATLAB), ("a Matlab file",)),
    "Parquet": ("train-00000-of-00001.parquet", lambda p: p.write_bytes(b"PAR1" + bytes(9) + b"PAR1"), ("a Parquet file", "with the library that reads it")),
    "Arrow": ("data-00000-of-00001.arrow", lambda p: p.write_bytes(b"\xff\xff\xff\xff" + bytes(9)), ("an Arrow stream",)),
    "Arrow file": ("x.arrow", lambda p: p.write_bytes(b"ARROW1\0\0"), ("an Arrow file",)),
    "ImageFolder .zip": ("images.zip", lambda p: zipped(p, ["train/cat/0.jpg", "test/cat/1.jpg"]), ("a ZIP archive of 2 files", "Unpack it, and give the folder")),
    "cut .zip": ("images.zip", lambda p: p.write_bytes(b"PK\x03\x04cut"), ("a ZIP archive",)),
    "Excel": ("labels.xlsx", lambda p: zipped(p, ["[Content_Types].xml", "xl/workbook.xml"]), ("an Excel workbook", "Write a .csv in UTF-8")),
    "Excel as .csv": ("labels.csv", lambda p: zipped(p, ["xl/workbook.xml"]), ("an Excel workbook",)),
    "pickle": ("miniImageNet.pkl", lambda p: p.write_bytes(pickle.dumps([1], protocol=4)), ("a Python pickle",)),
    "HDF5": ("data.h5", lambda p: h5py.File(p, "w").close(), ("an HDF5 file", "If it is a pack, palimpsest pack show and protocol read it")),
    "old pickle": ("x.pkl", lambda p: p.write_bytes(pickle.dumps([1], protocol=0)), ("a Python pickle", "train/CLASS/")),
    "Git LFS": ("0.tar", lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\n"), ("a pointer of Git LFS", "git lfs pull")),
    "web page": ("0.tar", lambda p: p.write_text("<!DOCTYPE html>\n404"), ("a web page", "get the file again")),
    "TFRecord": ("train.tfrecord", lambda p: p.write_bytes(bytes(12)), ("TFRecord",)),
    "RecordIO": ("train.rec", lambda p: p.write_bytes(b"\x0a\x23\xd7\xce"), ("MXNet's RecordIO",)),
    "COCO": ("instances.json", lambda p: p.write_text("{}"), ("JSON", "columns path,label")),
    ".csv.gz": ("m.csv.gz", lambda p: p.write_bytes(gzip.compress(b"path,label\n")), ("a gzip file", "Unpack it")),
    "image": ("x.jpg", lambda p: p.write_bytes(encoded(noise(1), "JPEG")), ("one image", "contains the folders of all classes")),
    "archive of archives": ("ILSVRC2012_img_train.tar", lambda p: archive(p, ["n01440764.tar", "n01443537.tar"], "w"), ("an archive of archives",)),
}  # fmt: skip


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_is_named_by_version_and_form(pack, tmp_path, name):
    make, words = CIFAR[name]
    _, _, err = pack(make(tmp_path), code=3)
    assert [word for word in words if word not in err] == [], err
    assert list(tmp_path.glob("pack.h5*")) == []


@pytest.mark.parametrize("version, names", [("cifar10", CIFAR10), ("cifar100", CIFAR100)])
def test_cifar_is_named_where_the_format_is_requested(pack, tmp_path, version, names):
    _, _, err = pack(files(tmp_path / "c", names, PICKLE), "--format", version, code=3)
    assert f"expected the binary version of {version}" in err and f"found the Python version of CIFAR-{version[5:]}" in err


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_named(pack, tmp_path, name):
    file, make, words = OTHERS[name]
    make(tmp_path / file)
    _, _, err = pack(tmp_path / file, code=3)
    assert f"{file}: expected a source in a supported format, found {words[0]}" in err
    assert [word for word in words if word not in err] == [], err


@pytest.mark.parametrize("name", ["MNIST .pt", "mnist.npz", "Parquet", "ImageFolder .zip"])
def test_a_folder_of_such_files_is_named(pack, tmp_path, name):
    file, make, words = OTHERS[name]
    (tmp_path / "s").mkdir()
    make(tmp_path / "s" / file)
    _, _, err = pack(tmp_path / "s", code=3)
    assert "s: expected a source in a supported format, found" in err and words[-1] in err


def test_data_sets_on_disk_are_named(pack, tmp_path):
    (files(tmp_path / "saved", ["state.json", "dataset_info.json", "data-00000-of-00001.arrow"], b"{}") / "train").mkdir()
    files(tmp_path / "hub" / "data", ["train-00000-of-00001.parquet"], b"PAR1")
    for source in ("saved", "hub"):
        assert "found a data set of Arrow or Parquet files, as Hugging Face's" in pack(tmp_path / source, code=3)[2]
    files(tmp_path / "tfds", ["dataset_info.json", "cifar10-train.tfrecord-00000-of-00001"], b"{}")
    assert "found a data set of TFRecord files" in pack(tmp_path / "tfds", code=3)[2]
    files(tmp_path / "lmdb", ["data.mdb", "lock.mdb"], b"")
    assert "found an LMDB database" in pack(tmp_path / "lmdb", code=3)[2]


def test_the_folder_that_is_meant_is_named(pack, tmp_path):
    idx(files(tmp_path / "MNIST" / "raw", [], b""), "train", np.zeros((1, 4, 4)), [0])
    assert f"found a folder with IDX files in raw/. Give {tmp_path}/MNIST/raw" in pack(tmp_path / "MNIST", code=3)[2]
    files(tmp_path / "kaggle", ["train.csv", "0.jpg"], b"")
    assert f"found a folder of files with train.csv. Give {tmp_path}/kaggle/train.csv" in pack(tmp_path / "kaggle", code=3)[2]


def test_what_is_read_is_not_taken_for_another_format(pack, tmp_path):
    folder(tmp_path / "s" / "train", {"raw": 2, "data": 2, "meta": 1})
    folder(tmp_path / "s" / "test", {"raw": 1}, first=9)
    pack(tmp_path / "s")
    shard(tmp_path / "shards.tar", {"x.png": encoded(noise(1)), "x.cls": b"1"})
    files(tmp_path / "w", ["index.json", "README.txt"], b"{}")
    (tmp_path / "shards.tar").rename(tmp_path / "w" / "0.tar")
    pack(tmp_path / "w")
