"""All commands of a parser with their arguments, for the completion scripts and the manual page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from .command_parser import CommandParser

#: The names in the help of arguments that are the paths of files.
_FILES: Final = frozenset({"FILE", "JOURNAL"})


def walk(parser: CommandParser, *path: str) -> Iterator[tuple[tuple[str, ...], CommandParser]]:
    """Yield a parser and all commands below it, each with the names that lead to it."""
    yield path, parser
    for name, command in parser.commands.items():
        yield from walk(command, *path, name)


def takes_value(option: argparse.Action) -> bool:
    """Return whether an option is followed by a value."""
    return option.nargs != 0


def takes_file(argument: argparse.Action) -> bool:
    """Return whether the value of an argument is the path of a file."""
    return argument.metavar in _FILES


def values_of(argument: argparse.Action) -> tuple[str, ...]:
    """Return the values that an argument can have, or nothing if they cannot be listed."""
    if argument.choices is not None:
        return tuple(map(str, argument.choices))
    if argument.metavar == "SOURCE":
        from vtex_tracking_ext.carriers.registry import SOURCES  # noqa: PLC0415 - most commands do not need it

        return tuple(SOURCES)
    return ()


def help_text(parser: CommandParser, argument: argparse.Action) -> str:
    """Return the help of an argument, with its default filled in."""
    values = {name: getattr(value, "__name__", value) for name, value in vars(argument).items()}
    return (argument.help or "") % {**values, "prog": parser.prog}


def first_clause(text: str, limit: int = 60) -> str:
    """Return the beginning of a help text that fits a line, without cutting a word."""
    for end in ("; ", ": ", " (", ", "):
        if len(text) <= limit:
            break
        text = text.partition(end)[0]
    return text if len(text) <= limit else text[:limit].rpartition(" ")[0]
