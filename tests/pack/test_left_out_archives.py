"""Tar archives: links are followed, damage and cuts are refused with the member, and all that is left out is counted."""

import gzip
import io
import os
import tarfile

import pytest
from image_support import counts, encoded, folder, noise, samples

BLOCK = 512
HARD, SOFT, DIRECTORY = tarfile.LNKTYPE, tarfile.SYMTYPE, (tarfile.DIRTYPE, "")


def picture(number):
    return encoded(noise(number))


def pair(stem, number=0, label=b"1"):
    return {f"{stem}.png": picture(number), f"{stem}.cls": label}


def archive(path, members, form=tarfile.GNU_FORMAT):
    """A tar of {name: bytes, or (type of member, target)}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def headers(path):
    """Where the members of an archive begin, and where its end marker does."""
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        return [member.offset for member in members], tar.offset


def refused(pack, source, *options):
    _, _, err = pack(source, *options, code=3)
    return err


# Links


@pytest.mark.parametrize("kind, target", [(HARD, "d/a.png"), (SOFT, "a.png"), (SOFT, "../d/a.png"), (SOFT, "./b.png")])
def test_links_are_read_as_the_files_they_link_to(pack, tmp_path, kind, target):
    members = {"d/link.png": (kind, target), "d/link.cls": (kind, "d/a.cls" if kind == HARD else "a.cls")}
    path, _, err = pack(archive(tmp_path / "0.tar", members | pair("d/a", 1, b"cat") | pair("d/b", 1, b"dog")))
    found = samples(path)
    assert [name for name, *_ in found] == ["cat", "cat", "dog"]
    assert {data for _, _, data, _ in found} == {noise(1).tobytes()} and "left out" not in err


def test_links_to_links_are_followed(pack, tmp_path):
    members = pair("a", 1, b"cat") | {"b.png": (HARD, "a.png"), "c.png": (SOFT, "b.png"), "c.cls": b"dog", "b.cls": b"dog"}
    path, *_ = pack(archive(tmp_path / "0.tar", members))
    assert {name: sum(row) for name, row in counts(path).items()} == {"cat": 1, "dog": 2}


@pytest.mark.parametrize(
    "link",
    [(HARD, "gone.png"), *((SOFT, target) for target in ("gone.png", "/data/a.png", "../a.png", "d", "b.png"))],
)
@pytest.mark.parametrize("suffix", [".png", ".cls"])
def test_links_to_what_is_not_there_are_refused_by_name(pack, tmp_path, link, suffix):
    members = pair("a") | {"d": DIRECTORY} | pair("b") | {f"b{suffix}": (link[0], link[1].replace("b.png", f"b{suffix}"))}
    err = refused(pack, archive(tmp_path / "0.tar", members))
    assert f"0.tar, b{suffix}: expected a file, or a link to a file in this archive, found a link to" in err
    assert "--dereference" in err


def test_links_that_are_neither_image_nor_label_are_counted(pack, tmp_path):
    members = pair("a") | {"README": (SOFT, "/usr/README"), "d": DIRECTORY}
    members |= {"x.png": (tarfile.FIFOTYPE, ""), "y.cls": (tarfile.CHRTYPE, "")}
    path, _, err = pack(archive(tmp_path / "0.tar", members))
    assert counts(path) == {"1": (1, 0)}
    assert "3 members of shards left out that are neither image nor label, such as" in err


def test_sparse_members_are_refused_by_name(pack, tmp_path):
    path = archive(tmp_path / "0.tar", pair("a"))
    whole = bytearray(path.read_bytes())
    whole[156:157] = tarfile.GNUTYPE_SPARSE
    whole[148:156] = b" " * 8
    whole[148:156] = b"%06o\0 " % sum(whole[:BLOCK])
    path.write_bytes(whole)
    assert "0.tar, a.png: expected a plain file, found a sparse one. Write the archive without --sparse" in refused(pack, path)


# The end


def whole_archive(tmp_path, form=tarfile.GNU_FORMAT):
    return archive(tmp_path / "0.tar", {key: value for name in "abc" for key, value in pair(name, ord(name)).items()}, form)


@pytest.mark.parametrize("end", [0, 1, 100, BLOCK - 1], ids=lambda end: f"{end} bytes of a header")
def test_an_archive_cut_at_or_in_a_header_is_refused(pack, tmp_path, end):
    path = whole_archive(tmp_path)
    begin = headers(path)[0][4]  # c.png
    path.write_bytes(path.read_bytes()[: begin + end])
    err = refused(pack, path)
    assert "0.tar: expected another member after b.cls, or the two blocks of zeros that end an archive" in err
    assert f"found the end of the file at byte {begin + end}" in err


@pytest.mark.parametrize("cut", [1, BLOCK])
def test_an_archive_cut_inside_data_is_refused(pack, tmp_path, cut):
    path = whole_archive(tmp_path)
    begins, end = headers(path)
    path.write_bytes(path.read_bytes()[: end - cut])
    assert "0.tar, c.cls: expected " in refused(pack, path)
    text = archive(tmp_path / "1.tar", pair("a") | {"z.txt": b"x" * 2000})
    text.write_bytes(text.read_bytes()[: headers(text)[1] - BLOCK - 1000])
    assert "1.tar, z.txt: expected 2000 bytes, found the end of the file" in refused(pack, text)


@pytest.mark.parametrize("kept", [0, BLOCK, 2 * BLOCK - 1])
def test_an_archive_needs_its_two_blocks_of_zeros(pack, tmp_path, kept):
    path = whole_archive(tmp_path)
    end, data = headers(path)[1], path.read_bytes()
    path.write_bytes(data[: end + kept])
    assert "expected another member after c.cls, or the two blocks of zeros" in refused(pack, path)
    path.write_bytes(data[: end + 2 * BLOCK])
    assert sum(map(sum, counts(pack(path)[0]).values())) == 3


def test_a_damaged_header_is_refused(pack, tmp_path):
    path = whole_archive(tmp_path)
    begin, data = headers(path)[0][2], bytearray(path.read_bytes())
    data[begin] ^= 1
    path.write_bytes(data)
    err = refused(pack, path)
    assert "expected another member after a.cls, or the two blocks of zeros" in err
    assert f"found a damaged header at byte {begin}" in err


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_and_refused_where_they_are_cut(pack, tmp_path, form):
    stem = "folder/" * 20 + "é" * 120
    path = archive(tmp_path / "0.tar", pair("a", 1) | pair(stem, 2), form)
    assert sum(map(sum, counts(pack(path)[0]).values())) == 2
    begin = headers(path)[0][2]
    for end in (BLOCK, BLOCK + 100, 2 * BLOCK):
        path.write_bytes(path.read_bytes()[: begin + end])
        assert "after " in refused(pack, path) and "a.cls" in refused(pack, path)


def test_archives_joined_by_cat_are_refused(pack, tmp_path):
    path = whole_archive(tmp_path)
    path.write_bytes(path.read_bytes() + archive(tmp_path / "1.tar", pair("z")).read_bytes())
    err = refused(pack, path)
    assert "0.tar: expected nothing but zeros after its end at byte" in err and "tar --concatenate" in err


def test_archives_in_gzip_have_the_same_end(pack, tmp_path):
    path = whole_archive(tmp_path)
    data, begin = path.read_bytes(), headers(path)[0][4]
    (tmp_path / "1.tar.gz").write_bytes(gzip.compress(data))
    (tmp_path / "2.TGZ").write_bytes(gzip.compress(data[: begin + 100]))
    (tmp_path / "3.tgz").write_bytes(gzip.compress(data)[:-20])
    assert sum(map(sum, counts(pack(tmp_path / "1.tar.gz")[0]).values())) == 3
    assert "2.TGZ: expected another member after b.cls" in refused(pack, tmp_path / "2.TGZ")
    assert "3.tgz: expected a complete gzip file" in refused(pack, tmp_path / "3.tgz")


@pytest.mark.parametrize(
    "name, start, kind", [("zst", b"\x28\xb5\x2f\xfd", "zstd"), ("xz", b"\xfd7zXZ", "xz"), ("bz2", b"BZh9", "bzip2")]
)
def test_archives_in_other_compressions_are_named(pack, tmp_path, name, start, kind):
    for file in (f"0.tar.{name}", "1.tar"):
        (tmp_path / file).write_bytes(start + bytes(2000))
    err = refused(pack, tmp_path / f"0.tar.{name}")
    assert f"0.tar.{name}: expected .tar, .tar.gz or .tgz, found another kind of archive. Unpack it" in err
    assert f"1.tar: expected a tar file, found a {kind} file. Unpack it first" in refused(pack, tmp_path / "1.tar")


@pytest.mark.parametrize(
    "source, remedy",
    [
        ("shards/{0000..0127}.tar", "Braces are not expanded: take them out of the quotes, or write * or [0-9]"),
        ("https://example.org/0.tar", "Addresses and commands (https:, pipe:) are not supported: download the files first"),
        ("hf://datasets/a/b/0.tar", "download the files first"),
        ("pipe:cat 0.tar", "download the files first"),
        ("none-*.tar", "found nothing there\n"),
    ],
)
def test_sources_as_webdataset_writes_them_are_refused_with_what_to_do(pack, source, remedy):
    assert f"{source}: expected a file, a folder or a glob, found nothing there" in (err := refused(pack, source)) and remedy in err


def test_empty_archives_are_counted_or_refused(pack, tmp_path):
    for name in "ab":
        archive(tmp_path / "s" / f"{name}.tar", {})
    archive(tmp_path / "s" / "c.tar", pair("x"))
    path, _, err = pack(tmp_path / "s")
    assert counts(path) == {"1": (1, 0)} and f"2 archives without images, such as {tmp_path}/s/a.tar" in err
    assert "expected images in the format tar, found none. 1 archive without images" in refused(pack, tmp_path / "s" / "a.tar")
    (tmp_path / "s" / "d.tar").touch()
    assert "d.tar: expected a tar file, found empty file" in refused(pack, tmp_path / "s")


# Members


def test_labels_without_an_image_and_other_members_are_counted(pack, tmp_path):
    members = pair("a") | {"b.cls": b"1", "c.json": b"not JSON, and not read", "c.bmp": b"BM", "d.cls": b"2", "d.tiff": b"II"}
    members |= {"a.txt": b"caption", "b.txt": b"caption", "noending": b"", "._a.png": b"mac", "e.JPE": b""}
    path, _, err = pack(archive(tmp_path / "0.tar", members))
    assert counts(path) == {"1": (1, 0)}
    assert "note: 3 labels left out that have no image in the shard, such as" in err and "0.tar, b.cls\n" in err
    assert "note: 7 members of shards left out that are neither image nor label, such as" in err
    for ending in ("2 .txt", "1 .bmp", "1 .tiff", "1 .png", "1 .jpe", "1 without an ending"):
        assert ending in err


@pytest.mark.parametrize(
    "members, message",
    [
        (pair("a") | {"b.jpg": b"", "b.txt": b"cat"}, "b.jpg: expected a label in b.cls or as \"label\" in b.json, found none in b.txt\n"),
        (pair("a") | {"b.jpg": b"", "b.json": b'{"caption": 1}'}, "found none in b.json\n"),
        ({"cat/b.jpg": b"", "dog/c.jpg": b""}, "If the folders in the archive are the classes, unpack it and give the folder"),
        (pair("b.1") | pair("b.2"), "b.2.png: expected one image of this stem, found two. In WebDataset, the stem of a name ends at the first dot"),
        (pair("b") | {"b.mask.png": b""}, "so b.png belongs to b, too. Leave one out, or rename them without further dots"),
        (pair("b") | {"b.jpg": b""}, "b.jpg: expected one image of this stem, found two"),
        (pair("b") | {"b.PNG": b""}, "b.png belongs to b, too. Leave one out, or give it a stem and its own label\n"),
        (pair("b") | {"b.x.cls": b"2"}, "b.x.cls: expected one cls of this stem, found two"),
        (pair("b") | {"b.cls": b"1\n2\n"}, "b.cls: expected a whole number or a name, found '1\\n2'"),
        (pair("b") | {"b.cls": b""}, "b.cls: expected a whole number or a name, found ''"),
        (pair("b") | {"b.cls": b"\xff\xfe"}, "b.cls: expected a label, but it cannot be read"),
    ],
)
def test_samples_that_are_not_one_image_and_its_label_are_refused(pack, tmp_path, members, message):
    assert message in refused(pack, archive(tmp_path / "0.tar", members))


def test_members_of_one_name_are_refused(pack, tmp_path):
    path = archive(tmp_path / "0.tar", pair("a"))
    with tarfile.open(path, "a") as tar:
        tar.addfile(tarfile.TarInfo("a.png"))
    assert "0.tar, a.png: expected one image of this stem, found two with the same name" in refused(pack, path)


def test_dotted_names_without_a_conflict_are_read(pack, tmp_path):
    path, *_ = pack(archive(tmp_path / "0.tar", pair("x.1/a.left") | pair("x.1/b.left", 1) | pair("x.2/a", 2)))
    assert sum(map(sum, counts(path).values())) == 3


def test_names_above_the_archive_are_only_names(pack, tmp_path):
    path, *_ = pack(archive(tmp_path / "s" / "0.tar", pair("../../up") | pair("/root", 1) | pair("./here", 2)))
    assert sum(map(sum, counts(path).values())) == 3
    assert sorted(os.listdir(tmp_path)) == ["pack.h5", "s"] and os.listdir(tmp_path / "s") == ["0.tar"]


def test_two_labels_that_differ_are_reported(pack, tmp_path):
    members = pair("a") | {"a.json": b'{"label": 1}'} | pair("b", 1) | {"b.json": b'{"label": "cat"}'}
    path, _, err = pack(archive(tmp_path / "0.tar", members))
    assert sum(counts(path)["1"]) == 2
    assert "note: 1 sample has one label in .cls and another in .json; .cls counts, such as" in err
    assert "b.png, '1' and 'cat'" in err


def test_numbers_and_names_as_labels_are_reported(pack, tmp_path):
    members = pair("a") | pair("b", 1, b"cat") | pair("c", 2, b"2")
    _, _, err = pack(archive(tmp_path / "0.tar", members))
    assert "note: 1 label is a name, such as" in err and "0.tar, b.png; 2 others are numbers" in err
    (tmp_path / "names").write_text("zero\ncat\ntwo\n")
    path, _, err = pack(tmp_path / "0.tar", "--class-names", tmp_path / "names", "--minimum-per-class", 1)
    assert {name: sum(row) for name, row in counts(path).items()} == {"cat": 2, "two": 1}


# Sides


@pytest.mark.parametrize(
    "names",
    [
        ("training-0.tar", "testing-0.tar"),
        ("train-0.tar", "valid-0.tar"),
        ("train-0.tar", "dev-0.tar"),
        ("train/0.tar", "test/0.tar"),
        ("Train/0.tar", "val/0.tar"),
    ],
)
def test_archives_that_look_like_sides_are_refused_unless_all_is_split_again(pack, tmp_path, names):
    for number, name in enumerate(names):
        archive(tmp_path / name, pair("a", number) | pair("b", number + 2))
    paths = [tmp_path / name for name in names]
    _, _, err = pack(*paths, code=3)
    assert "expected a side in the file's name, such as " in err and "Rename the files so" in err
    assert "found a name that only looks like " in err
    path, *_ = pack(*paths, "--split", "hashed", "--test-share", 0.5)
    assert counts(path) == {"1": (2, 2)}


def test_members_whose_paths_name_sides_are_refused_unless_all_is_split_again(pack, tmp_path):
    path = archive(tmp_path / "0.tar", pair("train/a", 1) | pair("train/b", 2) | pair("val/c", 3) | pair("val/d", 4))
    err = refused(pack, path)
    assert "0.tar, train/a.png: expected sides, found only paths that look like sides, here and in" in err
    assert "0.tar, val/c.png. Write an archive for each side, with train or test in its name, or use --split hashed" in err
    assert counts(pack(path, "--split", "hashed")[0]) == {"1": (3, 1)}
    assert counts(pack(path.rename(tmp_path / "train-0.tar"))[0]) == {"1": (4, 0)}


def test_archives_of_which_some_have_a_side_are_refused(pack, tmp_path):
    for number, name in enumerate(("train-0.tar", "more.tar")):
        archive(tmp_path / "s" / name, pair("a", number))
    err = refused(pack, tmp_path / "s")
    assert "more.tar, a.png: expected a side (train or test), because" in err and "or use --split hashed" in err


def test_three_sides_are_reported(pack, tmp_path):
    for number, name in enumerate(("train-0.tar", "val-0.tar", "test-0.tar", "test-1.tar")):
        archive(tmp_path / "s" / name, pair("a", number))
    path, _, err = pack(tmp_path / "s")
    assert counts(path) == {"1": (1, 3)}
    assert "archives named test and archives named val together are the test side" in err


def test_what_lies_beside_archives_is_counted(pack, tmp_path):
    archive(tmp_path / "s" / "0.tar", pair("a"))
    (tmp_path / "s" / "1.tar.zst").write_bytes(b"")
    (tmp_path / "s" / "logs").mkdir()
    (tmp_path / "s" / "index.json").write_text("{}")
    _, _, err = pack(tmp_path / "s")
    assert f"note: {tmp_path}/s: 3 files and folders left out beside the files of tar, such as 1.tar.zst, index.json, logs\n" in err
    folder(tmp_path / "s", {"logs": 1})
    assert "expected one format, found tar and folder" in refused(pack, tmp_path / "s")
