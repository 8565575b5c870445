"""The command line of palimpsest generate."""

import argparse
import json
import pathlib
import sys
import tempfile
import typing
from collections.abc import Sequence

from ..counted import counted
from ..errors import InputError
from ..pack.arguments import count, path
from ..parser import Parser
from .call import find_program, generate
from .program import NAME
from .prompts import Prompts, encode_prompts, prompts_of_file, write_prompts
from .saved import check_objective, find_backbone, find_tokenizer

USUAL_LIMIT = 256
DESCRIPTION = """\
Generates text after prompts with a trained decoder. Decoding is greedy: each token is the most likely
one after the tokens before it. A prompt is a user's message. The chat template in the tokenizer's folder
renders it, as in palimpsest pack chat; with --template none, the prompt is used as it is.
A text ends with the token that ends a turn (with --template none, with the end-of-text token) or
after --limit tokens.

The program palimpsest does the work. This program looks for it in $PALIMPSEST, then beside itself in
the build or the installation, then on the PATH. `palimpsest generate` continues all prompts of a pack."""
EPILOG = """\
Example: palimpsest generate --weights runs/mine --prompt "What is 3 + 4?"
Exit codes: 0 done, 1 failed, 2 usage, 3 bad input; otherwise the exit code of palimpsest generate."""


class Written(typing.NamedTuple):
    """What was written after a prompt."""

    tokens: list[int]
    text: str  # of the tokens, without the one that ends it
    ended: bool  # by that token, and not by the limit


def main(words: Sequence[str]) -> int:
    """The exit code."""
    options = _parser().parse_args(words)
    try:
        return _run(options)
    except InputError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=NAME, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--weights", required=True, type=path, metavar="WEIGHTS", help="a run folder, one of its states, or merged weights (required)")
    parser.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="a prompt; may be given several times")
    parser.add_argument("--prompts", type=path, metavar="FILE", help="a UTF-8 file with one prompt per line; blank lines are skipped")
    parser.add_argument(
        "--limit",
        type=count,
        metavar="N",
        help=f"maximum number of tokens to generate per prompt ({USUAL_LIMIT}, or fewer if the backbone has no positions for more)",
    )
    parser.add_argument(
        "--template", choices=("chat", "none"), default="chat", help="chat: the template in the tokenizer's folder (the default); none: prompts as they are"
    )
    parser.add_argument("--tokenizer", type=path, metavar="PATH", help="a tokenizer.json, or a folder with one (the backbone's folder)")
    parser.add_argument("--backbone", type=path, metavar="FOLDER", help="the folder of the pretrained decoder (the run's own)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _run(options: argparse.Namespace) -> int:
    texts = [*options.prompt, *(prompts_of_file(options.prompts) if options.prompts else [])]
    if not texts:
        _parser().error("expected a prompt, found none. Give --prompt TEXT or --prompts FILE")
    check_objective(options.weights)
    backbone = options.backbone or find_backbone(options.weights)
    program = find_program()
    tokenizer = options.tokenizer or find_tokenizer(backbone)
    prompts = encode_prompts(texts, tokenizer, has_template=options.template == "chat")
    limit = prompts.room(backbone, options.limit, USUAL_LIMIT)
    with tempfile.TemporaryDirectory(prefix="palimpsest-generate-") as folder:
        pack = pathlib.Path(folder) / "prompts.h5"
        write_prompts(pack, prompts)
        code, lines = generate(program, options.weights, backbone, pack, limit)
    if code != 0:
        return code
    written = [_written(prompts, line) for line in lines]
    if options.json:
        _print_json(options.weights, texts, written)
    else:
        _print_text(texts, written)
    return 0


def _written(prompts: Prompts, line: dict[str, typing.Any]) -> Written:
    tokens = [int(token) for token in line["tokens"]]
    ended = bool(line["ended"])
    return Written(tokens, prompts.tokenizer.decode(tokens[:-1] if ended else tokens, skip_special_tokens=False), ended)


def _print_json(weights: str, texts: list[str], written: list[Written]) -> None:
    found = [{"prompt": text, **one._asdict()} for text, one in zip(texts, written, strict=True)]
    print(json.dumps({"weights": weights, "completions": found}, ensure_ascii=False, indent=1))


def _print_text(texts: list[str], written: list[Written]) -> None:
    for number, (text, one) in enumerate(zip(texts, written, strict=True)):
        if number > 0:
            print()
        print("\n".join(f"> {line}" for line in text.splitlines()))
        print(one.text)
        if not one.ended:
            print(f"[cut after {counted(len(one.tokens), 'token')}; --limit sets it]")
