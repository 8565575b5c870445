"""The command line of `palimpsest pack images`."""

import argparse
import os

from .. import UsageError
from ..arguments import count, natural, output_file, path, share
from ..pack_file import PackIndex
from .decode import Storage
from .make import Request, make_pack
from .sources import FORMATS

DESCRIPTION = """\
Packs images, each decoded once: JPEG, PNG and WebP, as 8-bit RGB, turned as their EXIF says, with
transparency over white. What is read:

  folder    SOURCE/train/CLASS/* and SOURCE/test/CLASS/* (or val, validation), or SOURCE/CLASS/*
  csv       a file with the columns path,label or path,label,split; paths relative to its folder;
            separated by commas, or semicolons or tabs, in UTF-8; a row that doesn't fit is an error
  cifar10   data_batch_1.bin to _5.bin, test_batch.bin, batches.meta.txt
  cifar100  train.bin, test.bin, fine_label_names.txt; the 100 fine labels
  idx       train-images-idx3-ubyte, train-labels-idx1-ubyte, and t10k or test; .gz or not
  tar       WebDataset shards: x.jpg with its label in x.cls or x.json; sides by file name
            (train-0001.tar) where all have one

Where the source has no sides, the SHA-256 of an image's file decides, class by class; equal files
are on one side. A pack has two sides: val, validation and test are the test side, and a note says
so where a table or archives have two of them. What looks like sides by another name (Training/, or a
train.csv and a test.csv), and images that all lie deeper than class folders, are refused with what is
likely meant. An image that can't be read is listed and skipped; all else that is left out is counted in
notes. An archive that is cut or damaged is refused. A call that was stopped (exit code 85) continues
where it was: until the pack is written, the images are kept in OUT.partial/, so that twice the
pack's size is needed on disk. One source with one version of Pillow gives one pack; quote the
content hash.

Examples:
  palimpsest pack images ~/imagenet-r --out data/imagenet-r.h5
  palimpsest pack images /usr/share/datasets/fashion-mnist --out data/fashion-mnist.h5
  palimpsest pack images 'shards/*-*.tar' --store encoded --out data/large.h5"""


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sources", nargs="+", type=path, metavar="SOURCE", help="folders, files or globs")
    sub.add_argument("--out", required=True, type=output_file, metavar="PACK", help="the pack to write (required)")
    sub.add_argument("--format", choices=FORMATS, default="auto", help="(auto: by what is there)")
    sub.add_argument(
        "--store",
        choices=("pixels", "encoded"),
        default="pixels",
        help="pixels, or JPEG files for sets too big: the bytes of JPEG files that the trainer decodes and that are upright; others "
        "are coded as JPEG of quality 95 and counted (pixels)",
    )
    sub.add_argument(
        "--short-side",
        type=count,
        metavar="PIXELS",
        help="larger images are resized to this height or width, whichever is shorter, as torchvision's Resize does, "
        "bicubic; smaller ones stay as they are; not with --store encoded, which stores them whole (256)",
    )
    which = sub.add_mutually_exclusive_group()
    which.add_argument(
        "--leaf-folders",
        dest="class_folders",
        action="store_const",
        const="leaf",
        default="first",
        help="every folder that contains images is a class, named by its path below SOURCE",
    )
    which.add_argument(
        "--top-folders",
        dest="class_folders",
        action="store_const",
        const="top",
        help="the folders right in SOURCE or its sides are the classes, wherever in them images lie; without it, a source with all "
        "its images deeper is refused",
    )
    sub.add_argument(
        "--class-names",
        type=path,
        metavar="FILE",
        help="a class name a line, the first that of label 0, for sources with numbers as labels",
    )
    sub.add_argument(
        "--split",
        choices=("auto", "hashed"),
        default="auto",
        help="auto: as the source says, by hash where it says nothing; hashed: always by hash (auto)",
    )
    sub.add_argument("--test-share", type=share, default=0.2, help="of each class, where the split is by hash (0.2)")
    sub.add_argument(
        "--minimum-per-class",
        type=natural,
        default=0,
        metavar="N",
        help="leave classes with fewer images out (0: none, and an empty class is an error)",
    )
    sub.add_argument("--seed", type=int, default=1, help="of the split and the order (1)")
    sub.add_argument(
        "--max-pixels",
        type=count,
        default=89478485,
        metavar="N",
        help="an image with more by its header is skipped, not decoded (89478485, as Pillow warns)",
    )
    sub.add_argument(
        "--workers",
        type=count,
        default=len(os.sched_getaffinity(0)),
        help="processes that decode (%(default)s, one per core)",
    )
    sub.add_argument("--strict", action="store_true", help="a file that can't be read is an error")


def make(options: argparse.Namespace) -> tuple[PackIndex, str]:
    """(PackIndex, content_sha256) of the pack that the options describe, written."""
    if options.store == "encoded" and options.short_side:
        raise UsageError("--short-side: expected with --store pixels, found with encoded, which stores images whole")
    short_side = None if options.store == "encoded" else options.short_side or 256
    return make_pack(
        Request(
            sources=options.sources,
            out=options.out,
            storage=Storage(options.store, short_side, options.max_pixels),
            format=options.format,
            class_folders=options.class_folders,
            class_names=options.class_names,
            split=options.split,
            test_share=options.test_share,
            minimum_per_class=options.minimum_per_class,
            seed=options.seed,
            workers=options.workers,
            strict=options.strict,
        )
    )
