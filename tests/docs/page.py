"""The commands that a page of the documentation has its reader type."""

import dataclasses
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md", "configs/protocols/README.md",
         *sorted(os.path.join("docs", name) for name in os.listdir(ROOT / "docs") if name.endswith(".md"))]
COMMANDS = ("", "bash")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LANGUAGES = (*COMMANDS, "cpp", "json", "python", "text")  # text: what a program prints


@dataclasses.dataclass(frozen=True)
class Block:
    place: str  # page:line
    language: str
    text: str
    name: str | None  # of the file as which the page says to save it

    def commands(self):
        """What bash takes as one line: joined where a line ends in a backslash."""
        return [line for line in re.sub(r"\s*\\\n\s*", " ", self.text).splitlines() if line.strip()]

    def assignments(self):
        """Lines like packer=..., which later blocks of a page continue with."""
        return [line for line in self.commands() if re.match(r"\w+=", line)]


def text_of(page):
    return (ROOT / page).read_text()


def blocks(page):
    text = text_of(page)
    return [Block(f"{page}:{text.count(chr(10), 0, found.start()) + 2}", found[1], found[2], name_before(text[: found.start()]))
            for found in FENCED.finditer(text)]


def code(page, language):
    """The texts of the page's blocks in one language."""
    return [block.text for block in blocks(page) if block.language == language]


def name_before(text):
    saved = re.search(r"[Ss]ave (?:this|it) as `([^`]+)`", text.rpartition("```\n")[2].rstrip().rpartition("\n\n")[2])
    return saved and saved[1]


def command_blocks(page):
    return [block for block in blocks(page) if block.language in COMMANDS]


def code_spans(page):
    """[(page:line, text)] of what is between backticks within the text."""
    text = FENCED.sub(lambda found: "\n" * found[0].count("\n"), text_of(page))
    return [(f"{page}:{text.count(chr(10), 0, found.start()) + 1}", found[1].replace(r"\|", "|"))
            for found in re.finditer(r"`([^`\n]+)`", text)]


def links(page):
    """[(page:line, target)] of the links to files of the repository."""
    text = text_of(page)
    return [(f"{page}:{text.count(chr(10), 0, found.start()) + 1}", found[1])
            for found in re.finditer(r"\]\(([^)\s]+)\)", text) if "://" not in found[1]]


def anchors(path):
    """What #... may name in a page: its headings as the usual viewers spell them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
