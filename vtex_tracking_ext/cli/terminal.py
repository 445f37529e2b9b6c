"""How lines look on a terminal: their colours, and where they are wrapped. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a line is, which decides on its colour; an empty text for any other line.
Style: TypeAlias = Literal["", "good", "bad", "doubt", "soft", "command", "table"]

#: The parameters of the terminal's escape sequences. A table has no colour.
_COLORS: Final[Mapping[str, str]] = {
    "good": "32",
    "bad": "31",
    "doubt": "33",
    "soft": "2",
    "command": "36",
}

#: A command to copy, which must stay on one line: a shell would run its first part alone. A message about a command
#: begins with the command and a colon.
_COMMAND: Final = re.compile(r"`[^`]*`|\bvtex-tracking (?![a-z-]+:).*|^\s*export \w+=.*")

#: Stands for a space at which a line is not broken. No text contains it, because it is not printable.
_NO_BREAK: Final = "\0"

#: The narrowest width for which lines are wrapped.
_MIN_WIDTH: Final = 20


def is_colored(choice: str, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Return whether an output has colours.

    Args:
        choice: The option ``--color``: ``auto``, ``always`` or ``never``.
        environ: The environment: ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb`` count for ``auto``, in this order.
        is_terminal: Whether the output is a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (is_terminal and environ.get("TERM") != "dumb")


def colored(line: str, style: Style) -> str:
    """Return a line in the colour of its style."""
    return f"\x1b[{_COLORS[style]}m{line}\x1b[0m" if style in _COLORS and line else line


def wrapped(line: str, width: int) -> list[str]:
    """Return a line as lines of a width, but for words and commands that are longer.

    Lines after the first are indented by two more spaces.
    """
    if len(line) <= width or width < _MIN_WIDTH:
        return [line]
    from textwrap import wrap  # noqa: PLC0415 - for quick --help

    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    text = _COMMAND.sub(lambda found: found[0].replace(" ", _NO_BREAK), text)
    lines = wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [each.replace(_NO_BREAK, " ") for each in lines]
