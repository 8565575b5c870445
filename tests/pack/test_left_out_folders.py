"""Folders of images: what looks like sides or lies too deep is refused with the likely remedy; all that is left out is counted."""

import errno
import os

import pytest
from image_support import cifar, counts, folder, idx, noise, save


def tree(root, *paths):
    """Image files at these paths, no two of them equal; a path that ends in / is an empty folder, other files are text."""
    for number, path in enumerate(paths):
        if path.endswith("/"):
            (root / path).mkdir(parents=True)
        elif path.lower().endswith((".jpg", ".jpeg", ".png", ".webp")):
            save(root / path, noise(number))
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("text")
    return root


def refused(pack, source, *options):
    _, _, err = pack(source, *options, code=3)
    return err


# Names that look like sides


@pytest.mark.parametrize(
    "training, testing, side",
    [
        ("Training", "Testing", "test"),
        ("Train", "Test", "test"),
        ("TRAIN", "VAL", "val"),
        ("training_set", "test_set", "test"),
        ("seg_train", "seg_test", "test"),
        ("train2017", "val2017", "val"),
        ("Train", "dev", "val"),
        ("trn", "evaluation", "val"),
        ("TrainImages", "TestImages", "test"),
        ("trainingset", "testingset", "test"),
        ("traindata", "val-data", "val"),
    ],
)
def test_folders_that_look_like_sides_are_refused_with_the_names_they_need(pack, tmp_path, training, testing, side):
    root = tree(tmp_path / "s", "README.md", *(f"{side}/{name}/1.png" for side in (training, testing) for name in "ab"))
    for options in ((), ("--leaf-folders",), ("--top-folders",)):
        err = refused(pack, root, *options)
        assert f"{training}/ (2 images)" in err and "look like sides" in err
        assert f"{training}/ to train/" in err and f"{testing}/ to {side}/" in err
    (root / training).rename(root / "train")
    (root / testing).rename(root / side)
    path, *_ = pack(root)
    assert counts(path) == {"a": (1, 1), "b": (1, 1)}


@pytest.mark.parametrize("option", [[], ["--leaf-folders"], ["--top-folders"]])
@pytest.mark.parametrize("inner", ["", "seg_{}/"])
def test_a_third_folder_does_not_make_classes_of_sides(pack, tmp_path, inner, option):
    """As Intel's scenes have it: seg_train/seg_train/CLASS, seg_test/seg_test/CLASS and seg_pred without labels."""
    sides = [f"seg_{side}/{inner.format(side)}{name}/1.png" for side in ("train", "test") for name in ("sea", "street")]
    err = refused(pack, tree(tmp_path / "s", *sides, "seg_pred/1.png"), *option)
    assert "found seg_test/ (2 images), seg_train/ (2 images), which look like sides" in err


def test_of_two_names_for_a_side_the_surer_one_is_renamed(pack, tmp_path):
    """As Fruits-360 has it."""
    err = refused(pack, tree(tmp_path / "s", "Training/apple/1.png", "Test/apple/2.png", "test-multiple_fruits/3.png"))
    assert "look like sides. Rename Test/ to test/ and Training/ to train/. " in err
    err = refused(pack, tree(tmp_path / "t", *(f"{side}/1.png" for side in ("testA", "testB", "trainA", "trainB"))))
    assert "Rename testA/ or testB/ to test/ and trainA/ or trainB/ to train/. " in err


def test_a_folder_twice_in_itself_is_moved(pack, tmp_path):
    root = tree(tmp_path / "s", *(f"{side}/{side}/{name}/1.png" for side in ("train", "test") for name in "ab"))
    assert f"Move the folders of {root}/train/train to {root}/train" in refused(pack, root)


def test_a_loose_image_does_not_make_classes_of_sides(pack, tmp_path):
    root = tree(tmp_path / "s", *(f"{side}/{name}/1.png" for side in ("train", "test") for name in "ab"))
    tree(root, "train/loose.png", "test/x.jpg", "y.webp")
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 1), "b": (1, 1)}
    assert f"note: {root}: 2 images left out that lie beside the class folders, such as {root}/train/loose.png" in err
    assert f"note: {root}: 1 image left out that lies beside train/, such as {root}/y.webp" in err


def test_a_loose_image_in_training_hides_nothing(pack, tmp_path):
    root = tree(tmp_path / "s", "Training/a/1.png", "Training/loose.png", "Testing/a/1.png")
    assert "found Testing/ (1 image), Training/ (2 images), which look like sides" in refused(pack, root)


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "Testing"), ("train", "val", "test"), ("train",)])
def test_sides_without_class_folders_are_refused(pack, tmp_path, names):
    root = tree(tmp_path / "s", *(f"{name}/{number}.jpg" for name in names for number in range(2)))
    err = refused(pack, root)
    assert "look like sides" in err and "Put the images of each class into its own folder, as in train/CLASS/" in err


@pytest.mark.parametrize("name", ["valid", "dev", "Test", "testing", "Validation"])
def test_a_test_side_of_another_name_beside_train_is_named(pack, tmp_path, name):
    root = tree(tmp_path / "s", "train/a/1.png", f"{name}/a/1.png")
    err = refused(pack, root)
    assert "expected test/, val/ or validation/ beside train/" in err
    assert f"found {name}/ (1 image). Rename {name}/ to {'test' if 'est' in name else 'val'}/" in err


def test_a_test_side_alone_is_refused(pack, tmp_path):
    root = tree(tmp_path / "s", "test/a/1.png", "test/b/1.png")
    assert f"To pack only its images, split by hash, give {root}/test" in refused(pack, root)


def test_three_sides_are_reported(pack, tmp_path):
    root = tree(tmp_path / "s", "train/a/1.png", "test/a/1.png", "val/a/1.png", "val/a/2.png", "valid/b/1.png", "masks/1.png")
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 1)}
    for name, images in (("val", "2 images"), ("valid", "1 image"), ("masks", "1 image")):
        assert f"note: {root}: {name}/ left out, with {images}; the sides are train/ and test/" in err


def test_the_test_side_is_the_one_with_class_folders(pack, tmp_path):
    """As ImageNet has it: its test images have no labels."""
    root = tree(tmp_path / "s", "train/a/1.png", "val/a/1.png", "test/1.png", "test/2.png")
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 1)}
    assert f"note: {root}: test/ left out, with 2 images; the sides are train/ and val/" in err


@pytest.mark.parametrize("path", ["val/{}/2.png", "val/{}/images/2.png"])
def test_test_images_without_labels_in_a_folder_are_no_side(pack, tmp_path, path):
    """As Tiny ImageNet has it, once its validation images are in class folders."""
    root = tree(tmp_path / "s", *(f"train/{name}/images/1.png" for name in "ab"), *map(path.format, "ab"), "test/images/3.png")
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 1), "b": (1, 1)}
    assert f"note: {root}: test/ left out, with 1 image; the sides are train/ and val/" in err


@pytest.mark.parametrize("names", [("cat", "dog", "test"), ("sample", "train_images", "test_images"), ("sample", "box_train", "box_test")])
def test_classes_named_like_sides_are_named(pack, tmp_path, names):
    root = tree(tmp_path / "s", *(f"{name}/1.png" for name in names))
    like_sides = ", ".join(sorted(set(names) - {"cat", "dog", "sample"}))
    assert f"note: {root}: used as classes, although named like sides: {like_sides}\n" in pack(root)[2]


@pytest.mark.parametrize("names", [("bus", "car", "train"), ("valid", "invalid"), ("test", "control"), ("train_station", "office"), ("test_tube",)])
def test_classes_named_like_sides_stay_classes(pack, tmp_path, names):
    path, *_ = pack(tree(tmp_path / "s", *(f"{name}/1.png" for name in names)))
    assert set(counts(path)) == set(names)
    tree(tmp_path / "sides", *(f"{side}/{name}/{side}.png" for side in ("train", "test") for name in names))
    path, *_ = pack(tmp_path / "sides")
    assert counts(path) == {name: (1, 1) for name in names}


def test_leaf_folders_named_like_sides_stay_classes_among_others(pack, tmp_path):
    root = tree(tmp_path / "s", "vehicles/train/1.png", "vehicles/bus/1.png", "train_station/platform/1.png", "office/1.png")
    path, *_ = pack(root, "--leaf-folders")
    assert set(counts(path)) == {"vehicles/train", "vehicles/bus", "train_station/platform", "office"}


@pytest.mark.parametrize("option", [[], ["--leaf-folders"], ["--top-folders"]])
def test_sides_inside_classes_are_refused(pack, tmp_path, option):
    root = tree(tmp_path / "s", *(f"{name}/{side}/1.png" for name in ("cat", "dog") for side in ("train", "test")))
    assert f"{root}/cat: expected class folders, or train/ and test/" in refused(pack, root, *option)


def test_sides_as_separate_sources_are_refused_unless_all_is_split_again(pack, tmp_path):
    root = tree(tmp_path / "s", *(f"{side}/a/{number}{side}.png" for side in ("train", "test") for number in range(5)))
    _, _, err = pack(root / "train", f"{root / 'test'}/", code=3)
    assert "found sources that look like sides. Give the folder that contains them, as train/" in err
    path, *_ = pack(root / "train", root / "test", "--split", "hashed")
    assert counts(path) == {"a": (8, 2)}


def test_a_source_given_twice_is_refused(pack, tmp_path):
    root = folder(tmp_path / "s", {"a": 2})
    (tmp_path / "again").symlink_to(root)
    _, _, err = pack(root, tmp_path / "again", code=3)
    assert f"{tmp_path}/again: expected every source once, found this one again as {root}" in err


# Too high, too low


@pytest.mark.parametrize(
    "paths, remedy",
    [
        (["pets/cat/1.png", "pets/dog/1.png"], "Give {root}/pets"),
        (["images/cat/1.png", "images/dog/1.png", "annotations/cat.xml"], "Give {root}/images"),
        (["a/b/cat/1.png", "a/b/dog/1.png"], "Give {root}/a/b"),
        (["pets/train/cat/1.png", "pets/test/cat/2.png"], "{root}/pets perhaps"),
        (["images/cat/1.png", "images/dog/1.png", "masks/cat/1.png"], "Give {root}/images"),
        (["photo/cat/1.png", "sketch/cat/1.png"], "--leaf-folders makes every folder that contains images a class, --top-folders"),
        (["photo/cat/1.png", "photo/dog/1.png", "sketch/cat/1.png"], "To pack only one of these folders, give it"),
        (["train/images/cat/1.png", "test/images/cat/2.png"], "Move the folders of {root}/train/images to {root}/train"),
        (["train/cat/1.png", "train/dog/1.png", "test/x/cat/1.png"], "Move the folders of {root}/test/x to {root}/test"),
    ],
)
def test_images_a_level_deeper_are_refused_with_what_is_meant(pack, tmp_path, paths, remedy):
    root = tree(tmp_path / "s", *paths)
    err = refused(pack, root)
    assert "expected class folders" in err and remedy.format(root=root) in err


def test_top_folders_and_leaf_folders_say_which_level_is_meant(pack, tmp_path):
    root = tree(tmp_path / "s", "ann/monday/1.png", "ann/tuesday/1.png", "bob/monday/1.png")
    path, _, err = pack(root, "--top-folders")
    assert counts(path) == {"ann": (1, 1), "bob": (1, 0)} and "images lie in folders inside" not in err
    path, *_ = pack(root, "--leaf-folders")
    assert set(counts(path)) == {"ann/monday", "ann/tuesday", "bob/monday"}


def test_a_folder_of_images_in_each_class_is_read(pack, tmp_path):
    """As Tiny ImageNet has it."""
    root = tree(tmp_path / "s", "n01/images/1.JPEG", "n01/n01_boxes.txt", "n02/images/1.JPEG", "n02/images/2.JPEG")
    path, _, err = pack(root)
    assert set(counts(path)) == {"n01", "n02"}
    assert "3 images in folders inside a class folder belong to that class" in err and ": 1 .txt" in err


def test_some_images_deeper_are_counted(pack, tmp_path):
    root = tree(tmp_path / "s", "a/1.png", "a/more/2.png", "b/1.png")
    path, _, err = pack(root)
    assert counts(path)["a"] == (1, 1)
    assert f"note: {root}: 1 image in folders inside a class folder belongs to that class, such as" in err
    assert f"such as {root}/a/more/2.png" in err


@pytest.mark.parametrize("options", [(), ("--format", "folder"), ("--leaf-folders",)])
def test_a_class_folder_as_source_names_the_folder_above(pack, tmp_path, options):
    root = tree(tmp_path / "s", "cat/1.png", "cat/2.png", "dog/1.png")
    err = refused(pack, root / "cat", *options)
    assert f"{root}/cat: expected class folders, found 2 images in the folder itself" in err
    assert f"if this folder is a class, give {root}, which has it" in err


@pytest.mark.parametrize(
    "paths",
    [
        ["images/1.jpg", "labels/1.txt"],
        ["JPEGImages/1.jpg", "masks/1.png"],
        ["JPEGImages/1.jpg", "SegmentationClass/1.png", "SegmentationObject/1.png"],
        ["images/cat_1.jpg", "annotations/trimaps/cat_1.png"],
        ["train/images/1.jpg", "val/images/2.jpg"],
    ],
)
def test_folders_of_files_by_kind_are_no_classes(pack, tmp_path, paths):
    err = refused(pack, tree(tmp_path / "s", *paths))
    assert "which are not classes" in err and "CSV file" in err


def test_a_source_without_images_says_what_it_has(pack, tmp_path):
    root = tree(tmp_path / "s", "a/1.bmp", "a/2.BMP", "b/1.tiff", "b/notes")
    err = refused(pack, root)
    assert "found none." in err and "4 files left out that don't end in" in err
    assert "2 .bmp, 1 .tiff, 1 without an ending" in err
    assert "found none of them but 2 .heic" in refused(pack, tree(tmp_path / "flat", "1.heic", "2.heic"))
    (tmp_path / "x.zip").write_text("x")
    assert "found another kind of archive. Unpack it" in refused(pack, tmp_path / "x.zip")


def test_class_folders_beside_an_archive_or_a_data_file_need_a_word(pack, tmp_path):
    root = tree(tmp_path / "s", "train/a/1.png", "test/a/2.png", "downloaded.tgz")
    assert "expected one format, found tar and folder. Choose one with --format" in refused(pack, root)
    path, _, err = pack(root, "--format", "folder")
    assert counts(path) == {"a": (1, 1)} and "1 .tgz" in err


# What is left out


def test_all_that_is_no_image_is_counted_by_kind(pack, tmp_path):
    root = tree(
        tmp_path / "s",
        *("a/1.png", "b/1.JPG", "b/Thumbs.db", "a/1.bmp", "a/2.GIF", "a/3.heic", "a/4.avif", "a/5.tif", "a/6.tif", "a/picture"),
        *("loose.png", "labels.csv", ".DS_Store", "a/.hidden.png", "a/.ipynb_checkpoints/1.png"),
        *("__MACOSX/a/._1.png", "a/@eaDir/1.jpg"),
    )
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 0), "b": (1, 0)}
    assert f"note: {root}: 1 image left out that lies beside the class folders, such as {root}/loose.png" in err
    assert f"note: {root}: 5 hidden or system files and folders left out, such as {root}/.DS_Store" in err
    assert f"note: {root}: 9 files left out that don't end in .jpg .jpeg .png .webp, such as {root}/a/1.bmp: 2 .tif, " in err
    for ending in (".bmp", ".gif", ".heic", ".avif", ".db", ".csv", "without an ending"):
        assert f"1 {ending}" in err


@pytest.mark.parametrize("version", [10, 100])
def test_what_lies_beside_the_files_of_cifar_is_counted(pack, tmp_path, version):
    root = cifar(tmp_path / "c", version)
    (root / "readme.html").touch()
    assert f"note: {root}: 1 file or folder left out beside the files of cifar{version}, such as readme.html\n" in pack(root)[2]


def test_what_lies_beside_idx_files_is_counted(pack, tmp_path):
    root = idx(tmp_path / "i", "train", noise(1, 2, 30).reshape(2, 9, 10), [0, 1])
    assert "left out" not in pack(root)[2]
    idx(root, "tests", noise(2, 1, 30).reshape(1, 9, 10), [0])
    (root / "t10k-images-idx3-ubyte").mkdir()  # as archives unpack it that have a folder for each file
    such = "t10k-images-idx3-ubyte, tests-images-idx3-ubyte, tests-labels-idx1-ubyte"
    assert f"note: {root}: 3 files and folders left out beside the files of idx, such as {such}\n" in pack(root)[2]


def test_links_are_followed_once_and_broken_ones_are_reported(pack, tmp_path):
    root = tree(tmp_path / "s", "a/1.png", "a/2.png", "b/1.png")
    tree(tmp_path / "elsewhere", "c/1.png")
    (root / "c").symlink_to(tmp_path / "elsewhere" / "c")
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "self").symlink_to(root / "a" / "self")
    (root / "d").symlink_to(tmp_path / "gone")
    (root / "b" / "gone.png").symlink_to(tmp_path / "gone.png")
    (root / "b" / "linked.png").symlink_to(tmp_path / "elsewhere" / "c" / "1.png")
    path, _, err = pack(root)
    assert {name: sum(row) for name, row in counts(path).items()} == {"a": 2, "b": 2, "c": 1}
    assert f"note: {root}: 1 link to a folder above left out, such as {root}/a/loop" in err
    assert f"note: {root}: 2 links that lead nowhere left out, such as {root}/a/self" in err
    assert f"skipped {root}/b/gone.png: No such file or directory" in err


def test_a_pipe_named_like_an_image_is_not_opened(pack, tmp_path):
    root = tree(tmp_path / "s", "a/1.png")
    os.mkfifo(root / "a" / "2.png")
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 0)} and f"1 pipe, socket or device left out, such as {root}/a/2.png" in err


def test_a_folder_that_cannot_be_read_is_refused(pack, tmp_path, monkeypatch):
    root, scandir = tree(tmp_path / "s", "a/1.png", "b/1.png"), os.scandir

    def refuse(path):
        if path == str(root / "b"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert f"{root}/b: the folder cannot be read: Permission denied" in refused(pack, root)


def test_classes_of_one_side_only(pack, tmp_path):
    root = tree(tmp_path / "s", "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png")
    assert "class 'c': expected training images, found only 1 test image" in refused(pack, root)
    (root / "test" / "c" / "1.png").unlink()
    (root / "test" / "c").rmdir()
    path, _, err = pack(root)
    assert counts(path) == {"a": (1, 1), "b": (1, 0)} and "1 class has no test images: b" in err
