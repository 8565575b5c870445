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
Prints what a decoder with saved weights writes after prompts, by greedy decoding: each token is the
likeliest one after those before it. A prompt is a user's message, which the chat template of the
tokenizer's folder renders as palimpsest pack chat does; with --template none it is taken as it is.
A text ends with the token that ends a turn (with --template none, with the end-of-text token) or
after --limit tokens.

The program palimpsest does the work: $PALIMPSEST, or the one that was built or installed with
this one, or the one on the PATH. `palimpsest generate` continues all prompts of a pack."""
EPILOG = """\
Example: palimpsest generate --weights runs/mine --prompt "What is 3 + 4?"
Exit codes: 0 done, 1 failed, 2 usage, 3 bad input; else that of palimpsest generate."""


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
    parser.add_argument("--weights", required=True, type=path, metavar="WEIGHTS", help="a run folder, a state of one, or merged weights (required)")
    parser.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="a prompt; may be given several times")
    parser.add_argument("--prompts", type=path, metavar="FILE", help="a file of prompts in UTF-8, one a line; blank lines are left out")
    parser.add_argument(
        "--limit",
        type=count,
        metavar="N",
        help=f"most tokens that are written after a prompt ({USUAL_LIMIT}, or as many as fit into the positions of the backbone)",
    )
    parser.add_argument(
        "--template", choices=("chat", "none"), default="chat", help="chat: that of the tokenizer's folder (the default); none: prompts as they are"
    )
    parser.add_argument("--tokenizer", type=path, metavar="PATH", help="a tokenizer.json, or its folder (the backbone's folder)")
    parser.add_argument("--backbone", type=path, metavar="FOLDER", help="the pretrained decoder (that of the run)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
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
