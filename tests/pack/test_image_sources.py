"""palimpsest pack images: CSV, CIFAR, IDX and tar shards, and what each says of bad input."""

import gzip

import numpy as np
import pytest
from image_support import cifar, counts, encoded, folder, idx, noise, only_image, samples, shard

# CSV


def test_csv_gives_paths_labels_and_sides(pack, tmp_path):
    folder(tmp_path / "im ages", {"x": 4})
    sides = ("train", "train", "val", "test")
    rows = [f"im ages/x/{i}.png,{label},{side}" for i, label, side in zip("0123", "abab", sides)]
    (tmp_path / "m.csv").write_text("\ufeffpath,label,split\n" + "\n".join(rows), encoding="utf-8")
    path, *_ = pack(tmp_path / "m.csv")
    assert counts(path) == {"a": (1, 1), "b": (1, 1)}


def test_csv_numbers_are_classes_in_their_order_or_have_names(pack, tmp_path):
    folder(tmp_path, {"x": 3})
    (tmp_path / "m.csv").write_text("path,label\nx/0.png,10\nx/1.png,2\nx/2.png,2\n")
    path, *_ = pack(tmp_path / "m.csv")
    assert list(counts(path)) == ["2", "10"]
    (tmp_path / "names").write_text("zero\none\ntwo\n")
    _, _, err = pack(tmp_path / "m.csv", "--class-names", tmp_path / "names", code=3)
    assert "m.csv, line 2: x/0.png: expected a label from 0 to 2 or one of the 3 class names" in err


@pytest.mark.parametrize(
    "text, message",
    [
        ("file,label\nx,1\n", "line 1: expected the columns path,label or path,label,split, found file,label"),
        ("", "found an empty file"),
        ("path,label\nx/0.png\n", "line 2: expected 2 fields, one per column of line 1, found 1: x/0.png"),
        ("path,label\nx/0.png,-1\n", "expected a label of 0 or more, or a name, found '-1'"),
        ("path,label,split\nx/0.png,a,dev\n", "line 2: expected one of train, test"),
        ("path,label\n", "expected images in the format csv, found none"),
        ("path,label\nx/none.png,a\n", "x/none.png: expected an image file, found nothing"),
    ],
)
def test_bad_csv_is_refused_by_line(pack, tmp_path, text, message):
    folder(tmp_path, {"x": 1})
    (tmp_path / "m.csv").write_text(text)
    _, _, err = pack(tmp_path / "m.csv", code=3)
    assert message in err


# CIFAR


@pytest.mark.parametrize("version, train", [(10, 5), (100, 1)])
def test_cifar_is_read(pack, tmp_path, version, train):
    path, *_ = pack(cifar(tmp_path / "c", version))
    assert counts(path) == {"name 0": (train, 1), "name 1": (train, 1)}
    pixels = np.frombuffer(samples(path)[0][2], "u1").reshape(32, 32, 3)
    assert pixels[0, 0].tolist() == [9, 20, 30] and (pixels[1:] == (10, 20, 30)).all()


def test_bad_cifar_is_refused(pack, tmp_path):
    _, _, err = pack(cifar(tmp_path / "labels", 10, labels=(0, 2, 1)), code=3)
    assert "data_batch_1.bin, record 1: expected a label from 0 to 1" in err and "found 2" in err
    root = cifar(tmp_path / "cut", 100)
    (root / "train.bin").write_bytes((root / "train.bin").read_bytes()[:-1])
    _, _, err = pack(root, code=3)
    assert "train.bin: expected records of 3074 bytes, found 6147 bytes" in err
    (root / "train.bin").unlink()
    _, _, err = pack(root, code=3)
    assert "expected the binary version of cifar100" in err and "found no train.bin" in err
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "data_batch_1").write_bytes(b"pickle")
    _, _, err = pack(tmp_path / "python", code=3)
    assert "found no batches.meta.txt, data_batch_1.bin" in err


# IDX


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_is_read(pack, tmp_path, zipped):
    images = noise(1, 4, 30).reshape(4, 9, 10)
    idx(tmp_path / "i", "train", images[:3], [1, 0, 1], zipped)
    idx(tmp_path / "i", "t10k", images[3:], [0], zipped)
    path, *_ = pack(tmp_path / "i")
    assert counts(path) == {"0": (1, 1), "1": (2, 0)}
    assert samples(path)[0][2] == np.repeat(images[1][..., None], 3, axis=2).tobytes()
    (tmp_path / "names").write_text("boots\nshirts\n")
    path, *_ = pack(tmp_path / "i", "--class-names", tmp_path / "names")
    assert set(counts(path)) == {"boots", "shirts"}
    (tmp_path / "names").write_text("1\n0\n")  # a number counts, whatever the classes are called
    path, *_ = pack(tmp_path / "i", "--class-names", tmp_path / "names")
    assert counts(path) == {"1": (1, 1), "0": (2, 0)}
    (tmp_path / "names").write_text("boots\n")
    _, _, err = pack(tmp_path / "i", "--class-names", tmp_path / "names", code=3)
    assert "image 0: expected a label from 0 to 0" in err


def test_numbers_that_dont_begin_at_0_are_separate_classes(pack, tmp_path):
    idx(tmp_path / "i", "train", noise(1, 4, 30).reshape(4, 9, 10), [1, 2, 2, 1])
    path, *_ = pack(tmp_path / "i")
    assert counts(path) == {"1": (2, 0), "2": (2, 0)}


def test_bad_idx_is_refused(pack, tmp_path):
    images = np.zeros((3, 4, 4))
    root = idx(tmp_path / "i", "train", images, [0, 0])
    _, _, err = pack(root, code=3)
    assert "expected as many images as labels, found 3 images and 2 labels in" in err
    file = root / "train-images-idx3-ubyte"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    _, _, err = pack(root, code=3)
    assert "expected the 64 bytes that the header gives, found 63" in err
    file.write_bytes(b"\0\0\x0d\3" + whole[4:])
    _, _, err = pack(root, code=3)
    assert "expected IDX of unsigned bytes in 3 dimensions" in err and "found 00 00 0d 03" in err
    file.unlink()
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(whole)[:-9])
    _, _, err = pack(root, code=3)
    assert "expected a complete gzip file" in err
    (root / "train-labels-idx1-ubyte").unlink()
    _, _, err = pack(root, code=3)
    assert "expected its labels in" in err


# Tar shards


def test_shards_are_read_by_stem_with_sides_by_name(pack, tmp_path):
    train = {"d/x.png": encoded(noise(1)), "d/x.cls": b"1\n"}
    train |= {"y.seg.webp": encoded(noise(2), "WEBP"), "y.json": b'{"label": 0}'}
    shard(tmp_path / "train-000.tar", train | {"._x.png": b"mac", "x.txt": b"caption"})
    shard(tmp_path / "test-000.tgz", {"z.cls": b"0", "z.jpg": encoded(noise(3), "JPEG")})
    path, _, err = pack(tmp_path / "*-000.t*")
    assert counts(path) == {"0": (1, 1), "1": (1, 0)}
    assert (only_image(path, "1") == noise(1)).all()
    assert "2 members of shards left out" in err


def test_shards_without_sides_are_split_by_hash_and_labels_may_be_names(pack, tmp_path):
    members = {}
    for number in range(10):
        members |= {f"{number}.png": encoded(noise(number)), f"{number}.cls": b"cat" if number % 2 else b"dog"}
    path, *_ = pack(shard(tmp_path / "0.tar", members))
    assert counts(path) == {"cat": (4, 1), "dog": (4, 1)}
    shard(tmp_path / "train-1.tar", {"x.png": encoded(noise(11)), "x.cls": b"cat"})
    _, _, err = pack(tmp_path, "--format", "tar", code=3)
    assert "expected a side (train or test), because" in err and "--split hashed" in err


@pytest.mark.parametrize(
    "members, message",
    [
        ({"x.png": b""}, "x.png: expected a label in x.cls or as \"label\" in x.json, found none"),
        ({"x.png": b"", "x.json": b"{}"}, "expected a label in x.cls"),
        ({"x.png": b"", "x.json": b"[1"}, "x.json: expected a label, but it cannot be read"),
        ({"x.png": b"", "x.json": b'{"label": 1.5}'}, "expected a whole number or a name, found 1.5"),
        ({"x.png": b"", "x.cls": b"-1"}, "expected a label of 0 or more, or a name, found '-1'"),
        ({"x.png": b"", "x.jpg": b"", "x.cls": b"1"}, "expected one image of this stem, found two"),
        ({"x.cls": b"1"}, "expected images in the format tar, found none"),
    ],
)
def test_bad_shards_are_refused(pack, tmp_path, members, message):
    _, _, err = pack(shard(tmp_path / "0.tar", members), code=3)
    assert message in err


def test_a_shard_cut_short_is_refused(pack, tmp_path):
    path = shard(tmp_path / "0.tar", {"x.cls": b"1", "x.png": encoded(noise(1, 60, 60))})
    path.write_bytes(path.read_bytes()[:4000])
    _, _, err = pack(path, code=3)
    assert "0.tar, x.png: expected" in err and "found the end of the file" in err
    path.write_bytes(b"no tar at all" * 100)
    _, _, err = pack(path, code=3)
    assert "0.tar: expected a tar file" in err
