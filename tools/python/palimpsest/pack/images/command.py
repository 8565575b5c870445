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
Packs JPEG, PNG and WebP images. Each is decoded once to 8-bit RGB, turned as its EXIF says, with
transparency over white. Sources:

  folder    SOURCE/train/CLASS/* and SOURCE/test/CLASS/* (or val, validation), or SOURCE/CLASS/*
  csv       a file with the columns path,label or path,label,split; paths relative to its folder;
            in UTF-8, separated by commas, semicolons or tabs; a row that doesn't fit is an error
  cifar10   data_batch_1.bin to _5.bin, test_batch.bin, batches.meta.txt
  cifar100  train.bin, test.bin, fine_label_names.txt; the 100 fine labels
  idx       train-images-idx3-ubyte, train-labels-idx1-ubyte, and t10k or test; .gz or not
  tar       WebDataset shards: x.jpg with its label in x.cls or x.json; sides by file name
            (train-0001.tar) where all have one

Where the source has no sides, the SHA-256 of an image's file decides, class by class; equal files
are on one side. A pack has two sides: val, validation and test are the test side, and a note says
so where a table or archives have two of them. Names that only look like sides (Training/, or a
train.csv and a test.csv), and images that all lie deeper than the class folders, are rejected with a
suggestion. An image that can't be read is listed and skipped; everything else that is left out is
counted in notes. A truncated or damaged archive is rejected. A call that was stopped (exit code 85)
resumes when it is repeated. Until the pack is written, the images are in OUT.partial/, so the disk
needs room for twice the pack's size. One source with one version of Pillow gives one pack; quote the
content hash.

Examples:
  palimpsest pack images ~/imagenet-r --out data/imagenet-r.h5
  palimpsest pack images /usr/share/datasets/fashion-mnist --out data/fashion-mnist.h5
  palimpsest pack images 'shards/*-*.tar' --store encoded --out data/large.h5"""


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("sources", nargs="+", type=path, metavar="SOURCE", help="folders, files or globs")
    sub.add_argument("--out", required=True, type=output_file, metavar="PACK", help="the pack to write (required)")
    sub.add_argument("--format", choices=FORMATS, default="auto", help="format of the sources (auto: detected)")
    sub.add_argument(
        "--store",
        choices=("pixels", "encoded"),
        default="pixels",
        help="pixels: decoded; encoded: as JPEG files, for large data sets. Upright JPEG files that the trainer decodes keep their bytes; "
        "other images are encoded as JPEG of quality 95 and counted (pixels)",
    )
    sub.add_argument(
        "--short-side",
        type=count,
        metavar="PIXELS",
        help="resize larger images so that the shorter side has this length, as torchvision's bicubic Resize does; "
        "smaller images stay as they are; not with --store encoded, which never resizes (256)",
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
        help="the folders directly in SOURCE or in its sides are the classes, however deep their images are; without it, a source with "
        "all images deeper is rejected",
    )
    sub.add_argument(
        "--class-names",
        type=path,
        metavar="FILE",
        help="a file with one class name per line, starting with label 0, for sources with numbers as labels",
    )
    sub.add_argument(
        "--split",
        choices=("auto", "hashed"),
        default="auto",
        help="auto: the sides of the source, or by hash if it has none; hashed: always by hash (auto)",
    )
    sub.add_argument("--test-share", type=share, default=0.2, help="share of each class for the test in a split by hash (0.2)")
    sub.add_argument(
        "--minimum-per-class",
        type=natural,
        default=0,
        metavar="N",
        help="leave out classes with fewer images (0: leave out none; an empty class is an error)",
    )
    sub.add_argument("--seed", type=int, default=1, help="seed of the split and the order (1)")
    sub.add_argument(
        "--max-pixels",
        type=count,
        default=89478485,
        metavar="N",
        help="skip an image with more pixels in its header without decoding it (89478485, Pillow's limit for a warning)",
    )
    sub.add_argument(
        "--workers",
        type=count,
        default=len(os.sched_getaffinity(0)),
        help="number of decoding processes (%(default)s, one per core)",
    )
    sub.add_argument("--strict", action="store_true", help="stop with an error at a file that can't be read")


def make(options: argparse.Namespace) -> tuple[PackIndex, str]:
    """(PackIndex, content_sha256) of the pack that the options describe, written."""
    if options.store == "encoded" and options.short_side:
        raise UsageError("--short-side cannot be combined with --store encoded, which never resizes images. Leave one of them out")
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
