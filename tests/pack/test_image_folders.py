"""palimpsest pack images: folders of image files, and files that are no images."""

import struct
import zlib

import numpy as np
import pytest
from image_support import counts, encoded, folder, noise, samples, save


def png_of(width, height):
    """A PNG that says so in its header and contains almost nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("test", ["test", "val", "validation"])
def test_train_and_test_folders_are_the_sides(pack, tmp_path, test):
    folder(tmp_path / "s" / "train", {"a": 3, "b": 2})
    folder(tmp_path / "s" / test, {"a": 1, "b": 2}, first=10)
    (tmp_path / "s" / "meta").mkdir()
    path, _, err = pack(tmp_path / "s")
    assert counts(path) == {"a": (3, 1), "b": (2, 2)}
    assert "meta/ left out" in err
    path, *_ = pack(tmp_path / "s", "--split", "hashed", "--test-share", 0.5)
    assert counts(path) == {"a": (2, 2), "b": (2, 2)}


def test_train_without_test_and_other_files_are_reported(pack, tmp_path):
    folder(tmp_path / "s" / "train", {"a": 3})
    _, _, err = pack(tmp_path / "s", code=3)
    assert "expected test/, val/ or validation/ beside train/" in err and "s/train" in err
    (tmp_path / "s" / "train" / "a" / "notes.txt").write_text("x")
    _, _, err = pack(tmp_path / "s" / "train")
    assert "1 file left out that doesn't end in .jpg" in err and "notes.txt" in err


def test_leaf_folders_are_classes_named_by_their_paths(pack, tmp_path):
    root = folder(tmp_path / "s", {"animals": 2, "animals/birds": 2, "food/fruit": 3})
    (root / "food" / "loop").symlink_to(root)
    path, *_ = pack(root, "--leaf-folders")
    assert set(counts(path)) == {"animals", "animals/birds", "food/fruit"}
    path, *_ = pack(root, name="plain.h5")
    assert counts(path)["animals"] == (3, 1)


def test_names_with_spaces_and_other_alphabets_are_kept(pack, tmp_path):
    save(tmp_path / "s" / "Große Bären 熊" / "ein Bär.PNG", noise(1))
    path, out, _ = pack(tmp_path / "s")
    assert samples(path)[0][0] == "Große Bären 熊" and "Große Bären 熊" in out


def test_names_that_are_not_utf8_are_refused_as_classes_and_taken_as_files(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 1})
    (root / "a" / "0.png").rename(root / "a" / "\udcff.png")
    (root / "a" / "\udcfe.png").write_bytes(b"")
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 0)} and "a/\ufffd.png: expected a JPEG" in err
    (root / "a").rename(root / "\udcff")
    _, _, err = pack(root, code=3)
    assert "class \ufffd: expected a name in UTF-8" in err


def test_an_empty_class_folder_is_an_error_or_left_out(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 3, "b": 0})
    _, _, err = pack(root, code=3)
    assert "class 'b': expected images, found none" in err and "--minimum-per-class 1" in err
    path, _, err = pack(root, "--minimum-per-class", 1)
    assert set(counts(path)) == {"a"} and "1 class left out, with fewer images than --minimum-per-class 1: b" in err
    _, _, err = pack(root, "--minimum-per-class", 4, code=3)
    assert "expected classes with at least 4 images, found 3 in the largest" in err


def test_a_class_in_test_but_not_in_train_is_refused(pack, tmp_path):
    folder(tmp_path / "s" / "train", {"a": 3})
    folder(tmp_path / "s" / "test", {"a": 1, "b": 2}, first=10)
    _, _, err = pack(tmp_path / "s", code=3)
    assert "class 'b': expected training images, found only 2 test images" in err
    assert not (tmp_path / "pack.h5.partial").exists()


def test_test_images_that_are_training_images_are_noted(pack, tmp_path):
    folder(tmp_path / "s" / "train", {"a": 3})
    folder(tmp_path / "s" / "test", {"a": 2}, first=2)
    _, _, err = pack(tmp_path / "s")
    assert "1 test image is also a training image" in err


def test_no_images_at_all_are_refused(pack, tmp_path):
    (tmp_path / "s" / "a").mkdir(parents=True)
    _, _, err = pack(tmp_path / "s", code=3)
    assert "expected images in the format folder, found none" in err
    assert not (tmp_path / "pack.h5.partial").exists() and not (tmp_path / "pack.h5").exists()


def test_unknown_formats_and_missing_sources_are_refused(pack, tmp_path):
    (tmp_path / "words.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for source in ("words.txt", "empty"):
        _, _, err = pack(tmp_path / source, code=3)
        assert f"{source}: expected a folder of class folders, a .csv" in err
    _, _, err = pack(tmp_path / "*.tar", code=3)
    assert "expected a file, a folder or a glob, found nothing there" in err
    save(tmp_path / "s" / "a" / "x.png", noise(1))
    (tmp_path / "m.csv").write_text("path,label\ns/a/x.png,a\n")
    _, _, err = pack(tmp_path / "s", tmp_path / "m.csv", code=3)
    assert "expected sources of one format, found csv and folder" in err


def test_broken_images_are_listed_and_skipped_or_refused(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 4})
    (root / "a" / "cut.png").write_bytes(encoded(noise(1, 90, 90))[:9000])
    (root / "a" / "cut.jpg").write_bytes(encoded(noise(1, 90, 90), "JPEG")[:2000])
    (root / "a" / "cut.webp").write_bytes(encoded(noise(1, 90, 90), "WEBP")[:500])
    (root / "a" / "text.png").write_text("not an image")
    (root / "a" / "gif.png").write_bytes(encoded(noise(1), "GIF"))
    for options in ((), ("--store", "encoded"), ("--workers", 2)):
        path, _, err = pack(root, *options)
        assert sum(counts(path)["a"]) == 4
        assert "skipped" in err and "a/cut.png: " in err and "a/cut.webp: " in err
        assert "a/cut.jpg: image file is truncated" in err
        assert "a/text.png: expected a JPEG, PNG or WebP image" in err
        assert "5 of 9 images skipped, as listed above" in err
    path.unlink()
    _, _, err = pack(root, "--strict", code=3)
    assert "a/cut.jpg: the image cannot be read: image file is truncated" in err
    assert not path.exists()


def test_decompression_bombs_are_not_decoded(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 2})
    (root / "a" / "bomb.png").write_bytes(png_of(20990, 29700))
    path, _, err = pack(root)
    assert "a/bomb.png: expected at most 89478485 pixels (--max-pixels), found 20990 x 29700 in the header" in err
    _, _, err = pack(root, "--max-pixels", 47, code=3)
    assert "none of the 3 images could be read" in err


def test_sides_too_long_for_a_pack_are_skipped(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 1})
    save(root / "a" / "line.png", np.zeros((1, 65537), "u1"))
    _, _, err = pack(root)
    assert "expected sides of at most 65536 pixels, found 65537 x 1" in err
