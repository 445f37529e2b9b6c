"""Read the pages of the documentation: their blocks of code, and the commands in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from support.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCS: Final = ROOT / "docs"
#: The pages that users read, README first.
PAGES: Final = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted(DOCS.glob("**/*.md")))
}
#: Stands for something that an example leaves out.
ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"
#: All of them as one line, because a sentence may go on in the next line.
ALL_TEXT: Final = " ".join(" ".join(PAGES.values()).split())


class Block(NamedTuple):
    """A block of code.

    Attributes:
        language: The language after the fence.
        text: What the block contains, without the indentation of the fence.
    """

    language: str
    text: str


class Step(NamedTuple):
    """A command, and the output that the page shows."""

    command: str
    output: str


def blocks(page: str, language: str = "") -> list[Block]:
    """Return the blocks of code of a page, or those in one language."""
    found = re.finditer(r"^( *)```(\S*)\n(.*?)^\1```$", PAGES[page], re.DOTALL | re.MULTILINE)
    all_blocks = [Block(each[2], re.sub(rf"^{each[1]}", "", each[3], flags=re.MULTILINE)) for each in found]
    return [block for block in all_blocks if not language or block.language == language]


def texts(page: str, language: str) -> list[str]:
    """Return the texts of the blocks in one language."""
    return [block.text for block in blocks(page, language)]


def steps_of(block: str) -> list[Step]:
    """Return the commands of a console block, without comments.

    A command goes on after a backslash, and up to the end of a here-document.
    """
    steps: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Step(re.sub(r"  +# .*$", "", line[2:]), ""))
            continue
        command, output = steps[-1]
        in_document = "<<'END'" in command and not command.endswith("\nEND")
        if in_document or command.endswith("\\"):
            steps[-1] = Step(f"{command}\n{line}", output)
        else:
            steps[-1] = Step(command, f"{output}{line}\n")
    return steps


def is_shown(shown: str, output: str) -> bool:
    """Return whether an output is the one that a page shows.

    An ellipsis stands for anything in a line; an ellipsis alone in the last line, for any number of further lines.
    """
    text = shown.strip()
    beginning = text.removesuffix(f"\n{ELLIPSIS}")
    rest = r"(\n[\s\S]*)?" if beginning != text else ""
    return re.fullmatch(".*".join(map(re.escape, beginning.split(ELLIPSIS))) + rest, output.strip()) is not None


def section(page: str, heading: str) -> str:
    """Return the text below a heading of the second level."""
    return PAGES[page].split(f"## {heading}\n")[1].split("\n## ")[0]


def path_of(page: str) -> Path:
    """Return the file of a page."""
    return ROOT / page
