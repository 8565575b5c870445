"""Well-known distributions in unsupported formats: what they are, and what to do instead.

Names, the first bytes and the first members of an archive say it; nothing is unpacked, and no pickle is loaded, which
could run any code. What isn't known to this module is left to the readers.
"""

import gzip
import itertools
import os
import pathlib
import tarfile
import zipfile
import zlib

from ...counted import counted
from . import idx
from .listing import SUFFIXES

FOLDERS = "Write its images as files into train/CLASS/ and test/CLASS/ with the library that reads it, and give that folder"
UNPACK = "Unpack it, and give the folder that comes out"
MANIFEST = "Write a .csv in UTF-8 with the columns path,label or path,label,split"
MEMBERS = 3  # of an archive that are looked at

_CIFAR = {  # folder: (version, form, files that it has)
    "cifar-10-batches-py": ("10", "Python", {"data_batch_1", "data_batch_2"}),
    "cifar-10-batches-mat": ("10", "Matlab", {"data_batch_1.mat", "batches.meta.mat"}),
    "cifar-100-python": ("100", "Python", {"train", "test", "meta"}),
    "cifar-100-matlab": ("100", "Matlab", {"train.mat", "test.mat", "meta.mat"}),
}
_CIFAR_READ = ("cifar-10-batches-bin", "cifar-100-binary")
_STARTS = [
    (b"PAR1", "a Parquet file", FOLDERS),
    (b"ARROW1", "an Arrow file", FOLDERS),
    (b"\xff\xff\xff\xff", "an Arrow stream", FOLDERS),
    (b"MATLAB", "a Matlab file", FOLDERS),
    (b"\x93NUMPY", "a NumPy array", FOLDERS),
    (b"\x80\x02", "a Python pickle", FOLDERS),
    (b"\x80\x03", "a Python pickle", FOLDERS),
    (b"\x80\x04", "a Python pickle", FOLDERS),
    (b"\x80\x05", "a Python pickle", FOLDERS),
    (b"SQLite format 3", "an SQLite file", FOLDERS),
    (b"\x89HDF\r\n", "an HDF5 file", "If it is a pack, palimpsest pack show and protocol read it. If not: " + FOLDERS),
    (b"\xff\xd8\xff", "one image", "Give the folder that contains the folders of all classes"),
    (b"version https://", "a pointer of Git LFS", "Get the file itself with git lfs pull"),
    (b"<!DOCTYPE", "a web page", "It may say why the download failed; get the file again"),
    (b"\x89PNG", "one image", "Give the folder that contains the folders of all classes"),
]
_ENDS = [
    ((".tfrecord", ".tfrecords"), "TFRecord", FOLDERS),
    ((".rec", ".lst"), "MXNet's RecordIO", FOLDERS),
    ((".json", ".jsonl"), "JSON", MANIFEST),
    ((".pt", ".pth"), "a PyTorch file", FOLDERS),
    ((".pkl", ".pickle"), "a Python pickle", FOLDERS),
]


def describe(path: str | pathlib.Path) -> tuple[str, str] | None:
    """(what it is, what to do) of a file or folder that is known and not read, else None."""
    path = str(path)
    if os.path.isdir(path):
        return _folder(path)
    return _file(path) if os.path.isfile(path) else None


def _cifar(names: list[str]) -> tuple[str, str] | None:
    """Of a folder with such files."""
    for folder, (_, _, files) in _CIFAR.items():
        if files <= set(names):
            return _cifar_form(folder)
    return None


def _cifar_form(folder: str) -> tuple[str, str]:
    version, form, _ = _CIFAR[folder]
    binary = _CIFAR_READ[version == "100"]
    archive = binary.replace("batches-bin", "binary") + ".tar.gz"
    return (
        f"the {form} version of CIFAR-{version} ({folder})",
        f"Get the binary version, {archive}, where this one comes from, unpack it and give its folder {binary}",
    )


def _folder(path: str) -> tuple[str, str] | None:
    names = os.listdir(path)
    files = [name for name in names if os.path.isfile(os.path.join(path, name))]
    if found := _cifar(files):
        return found
    for name in (*_CIFAR_READ, *_CIFAR):
        if name in names and os.path.isdir(inner := os.path.join(path, name)):
            return describe(inner) or (f"a folder with {name}/ in it", f"Give {inner}")
    if any(".tfrecord" in name for name in files):
        return "a data set of TFRecord files", FOLDERS
    if {"data.mdb", "lock.mdb"} & set(files):
        return "an LMDB database", FOLDERS
    inner = os.path.join(path, "data")
    tables = [*files, *(os.listdir(inner) if os.path.isdir(inner) else [])]
    if {"dataset_info.json", "dataset_dict.json"} & set(files) or any(n.endswith((".arrow", ".parquet")) for n in tables):
        return "a data set of Arrow or Parquet files, as Hugging Face's", FOLDERS
    inner = os.path.join(path, "raw")
    if os.path.isdir(inner) and any("-images-idx3-" in name for name in os.listdir(inner)):
        return "a folder with IDX files in raw/", f"Give {inner}"
    return _of_files(path, files) if files and len(files) == len(names) else None


def _of_files(path: str, files: list[str]) -> tuple[str, str] | None:
    """Of a folder with files alone: what the first is that is known."""
    for name in sorted(files):
        if name.endswith((".csv", ".tsv")):
            return f"a folder of files with {name}", f"Give {os.path.join(path, name)}"
    for name in sorted(name for name in files if not name.lower().endswith(SUFFIXES)):
        if found := describe(os.path.join(path, name)):
            return f"a folder of files, of which {name} is {found[0]}", found[1]
    return None


def _file(path: str) -> tuple[str, str] | None:
    name = os.path.basename(path).lower()
    with open(path, "rb") as file:
        start = file.read(16)
    if start.startswith(b"PK\x03\x04"):
        return _zip(path)
    for first, what, remedy in _STARTS:
        if start.startswith(first):
            return _cifar(os.listdir(os.path.dirname(path) or ".")) or (what, remedy)
    for ends, what, remedy in _ENDS:
        if name.endswith(ends):
            return what, remedy
    if name.endswith((".tar", ".tar.gz", ".tgz")):
        return _tar(path)
    if start.startswith(b"\x1f\x8b") and not idx.NAME.fullmatch(name):
        return "a gzip file", UNPACK
    return None


def _zip(path: str) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        names = []
    if any(name.endswith(".npy") for name in names):
        return "NumPy arrays (.npz)", FOLDERS
    if any(name.endswith("/data.pkl") for name in names):
        return "a PyTorch file", FOLDERS
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook", MANIFEST
    return f"a ZIP archive of {counted(len(names), 'file')}", UNPACK


def _tar(path: str) -> tuple[str, str] | None:
    try:
        with tarfile.open(path, "r:*") as tar:
            names = [member.name.removeprefix("./") for member in itertools.islice(tar, MEMBERS)]
    except (tarfile.TarError, OSError, EOFError, gzip.BadGzipFile, zlib.error):
        return None  # the reader of shards says what is wrong
    folder = names[0].partition("/")[0] if names else ""
    if folder in _CIFAR:
        return _cifar_form(folder)
    if folder in _CIFAR_READ:
        return f"the binary version of CIFAR in an archive ({folder})", f"Unpack it, and give its folder {folder}"
    if names and all(name.endswith((".tar", ".tgz")) for name in names):
        return "an archive of archives", "Unpack it, and give the files that come out or their folder"
    return None
