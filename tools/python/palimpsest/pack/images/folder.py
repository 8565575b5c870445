"""Folders of image files: train/CLASS/* and test/CLASS/*, or CLASS/* with a split by hash.

Folders that look like sides, and images that all lie deeper than the class folders, are refused with what is likely
meant. What is left out, such as images beside the class folders, is counted in notes.
"""

import os
import pathlib
import typing

from ...counted import counted, form
from .. import InputError
from ..pack_file import TEST, TRAIN
from .listing import SIDES, Listing, Sample, shown, side_word, side_words
from .tree import BESIDE, Folder, Tally, scan

TESTS = [name for name, side in SIDES.items() if side == TEST]
# Folders that divide a data set by kind of file, not by class: its images, and what belongs to them.
IMAGES = ["image", "images", "img", "imgs", "jpg", "jpeg", "jpegimages", "png", "pictures", "photos", "data"]
PARTS = [*IMAGES, *["masks", "labels", "annotations", "trimaps", "ground_truth", "segmentationclass", "segmentationobject"]]


def read(root: str, class_folders: str) -> Listing:
    """The samples of one folder.

    `class_folders`: which folders are classes. "first": those right in it, or in its sides; refused where all images lie
    deeper. "top": the same, wherever images lie. "leaf": every folder that contains images, named by its path.
    """
    tally, samples, names, deeper = Tally(), [], set(), []
    tree = scan(pathlib.Path(root), tally)
    sides, notes = _sides(tree)
    for top, side in sides:
        _refuse_sides(top, alone=side is None)
        if class_folders == "first":
            _refuse_deep(top, root=side is None)
        tally.add(BESIDE, *top.images)
        for name, folder in _classes(top, class_folders).items():
            files = folder.images if class_folders == "leaf" else folder.all_images()
            names.add(name)
            samples += [Sample(shown(file), file, name, side) for file in files]
            deeper += [] if class_folders == "leaf" else files[len(folder.images) :]
    if deeper and class_folders == "first":
        notes.append(
            f"{shown(root)}: {counted(len(deeper), 'image')} in folders inside a class folder {form(len(deeper), 'belongs', 'belong')} to that class, "
            f"such as {shown(deeper[0])}"
        )
    if like_sides := _like_sides({str(sample.label) for sample in samples}):
        notes.append(f"{shown(root)}: used as classes, although named like sides: {', '.join(map(shown, like_sides))}")
    if not samples and tree.images:
        _refuse_loose(tree)
    return Listing(samples, sorted(names), [*notes, *tally.notes(root)])


def _classes(top: Folder, class_folders: str) -> dict[str, Folder]:
    """{class name: Folder}."""
    if class_folders == "leaf":
        return {os.path.relpath(folder.path, top.path).replace(os.sep, "/"): folder for folder in top.walk() if folder.images and folder is not top}
    return {folder.name: folder for folder in top.folders}


def _like_sides(classes: set[str]) -> list[str]:
    """The classes that are named like a side as a whole, or with a word of it where others name another side."""
    words = {name: side_words(os.path.basename(name)) for name in sorted(classes)}
    several = len(set().union(*words.values())) > 1
    return [name for name in words if side_word(os.path.basename(name)) or several and words[name]]


def _sides(tree: Folder) -> tuple[list[tuple[Folder, int | None]], list[str]]:
    """[(folder of classes, side)], and notes on folders left out."""
    folders = {folder.name: folder for folder in tree.folders}
    train = folders.get("train")
    if train is None or (train.images and not train.filled):  # a class of trains
        return [(tree, None)], []
    tests = [folders[name] for name in TESTS if name in folders]
    if not tests:
        alike = [folder for folder in tree.filled if side_words(folder.name) - {"train"}]
        raise InputError(
            f"{shown(tree.path)}: expected test/, val/ or validation/ beside train/, found {_listed(alike) or 'none'}. "
            f"{_renaming(alike)}To split the training images by hash, give {shown(train.path)}"
        )
    test = next((folder for folder in tests if folder.filled and not _are_parts(folder.filled)), tests[0])
    notes = [
        f"{shown(tree.path)}: {shown(folder.name)}/ left out, with {counted(folder.total, 'image')}; the sides are train/ and {test.name}/"
        for folder in tree.folders
        if folder not in (train, test)
    ]
    if tree.images:
        notes.append(
            f"{shown(tree.path)}: {counted(len(tree.images), 'image')} left out that {form(len(tree.images), 'lies', 'lie')} beside train/, "
            f"such as {shown(tree.images[0])}"
        )
    return [(train, TRAIN), (test, TEST)], notes


def _refuse_sides(top: Folder, alone: bool) -> None:
    """Raises InputError where folders look like sides, or like parts of a data set, instead of classes.

    `alone`: the source has no sides, so that `top` is the source itself.
    """
    for folder in top.walk():
        inner = folder.filled
        alike = [f for f in inner if side_words(f.name)]
        exact = [f for f in alike if side_word(f.name)]  # train_station/ may well be a class
        whole = alone and folder is top
        several = len(set().union(*(side_words(f.name) for f in alike))) > 1
        deep = any(f.filled for f in exact) or several and all(f.filled for f in alike)
        if deep or (alike == inner and (several or whole and exact)):
            raise InputError(
                f"{shown(folder.path)}: expected class folders, or train/ and test/ (or val/, validation/) with class folders "
                f"in them, found {_listed(alike)}, which look like sides. {_renaming(alike)}"
                f"{_sides_remedy(folder, alike, whole)}. If they are classes, list the images in a CSV file"
            )
        if folder is top and any(f.images for f in inner) and _are_parts(inner):
            raise InputError(
                f"{shown(folder.path)}: expected class folders, found {_listed(inner)}, which are not classes. Put the "
                "images of each class into its own folder, or list the images in a CSV file"
            )


def _are_parts(folders: list[Folder]) -> bool:
    return all(folder.name.lower() in PARTS for folder in folders)


def _sides_remedy(folder: Folder, alike: list[Folder], whole: bool) -> str:
    if not all(f.filled for f in alike):
        return "Put the images of each class into its own folder, as in train/CLASS/"
    if not whole and len(alike) == 1:
        return f"Move the folders of {shown(alike[0].path)} to {shown(folder.path)}"
    if not whole:
        return f"Give a folder whose train/ and test/ contain the class folders, {shown(folder.path)} perhaps"
    if len(alike) == 1:
        return f"To pack only its images, split by hash, give {shown(alike[0].path)}"
    return "Name the sides train/ and test/ (or val/, validation/)"


def _renaming(alike: list[Folder]) -> str:
    """What to rename so that sides have the names that are read."""
    surest = [f for f in alike if side_word(f.name)] or alike
    wanted: dict[str, list[str]] = {}  # {side: names}
    for f in surest:
        if len(side_words(f.name)) == 1 and f.name not in SIDES:
            wanted.setdefault(min(side_words(f.name)), []).append(f"{shown(f.name)}/")
    pairs = [f"{' or '.join(names)} to {side}/" for side, names in wanted.items()]
    return f"Rename {' and '.join(pairs)}. " if pairs else ""


def _refuse_deep(top: Folder, root: bool) -> None:
    """Raises InputError where all images lie deeper than in class folders."""
    inner = top.filled
    if not inner or any(folder.images for folder in inner):
        return
    names = {f.name.lower() for folder in inner for f in folder.filled}
    if len(inner) > 1 and len(names) == 1 and names < set(PARTS):
        return  # CLASS/images/*, as in Tiny ImageNet
    of_images = [folder for folder in inner if folder.name.lower() in IMAGES]
    meant = of_images[0] if len(of_images) == 1 and _are_parts(inner) else top
    while len(meant.filled) == 1 and not meant.filled[0].images:
        meant = meant.filled[0]
    if meant is top:
        remedy = (
            "--leaf-folders makes every folder that contains images a class, --top-folders every folder directly in "
            f"{shown(top.path)}. To pack only one of these folders, give it"
        )
    elif root:
        remedy = f"Give {shown(meant.path)}"
    else:
        remedy = f"Move the folders of {shown(meant.path)} to {shown(top.path)}"
    raise InputError(
        f"{shown(top.path)}: expected class folders with images in them, found {_listed(inner)} with all images deeper, such as "
        f"{shown(top.all_images()[-1])}. {remedy}"
    )


def _refuse_loose(tree: Folder) -> typing.NoReturn:
    """Raises InputError for a folder that contains images, and no folders with images."""
    above = os.path.dirname(os.path.abspath(tree.path))
    raise InputError(
        f"{shown(tree.path)}: expected class folders, found {counted(len(tree.images), 'image')} in the folder itself, such as "
        f"{shown(tree.images[0])}, and none in folders. Put the images of each class into its own folder; if this folder "
        f"is a class, give {shown(above)}, which has it"
    )


def _listed(folders: list[Folder]) -> str:
    names = [f"{shown(folder.name)}/ ({counted(folder.total, 'image')})" for folder in folders[:4]]
    return ", ".join(names) + (f" and {len(folders) - 4} more" if len(folders) > 4 else "")
