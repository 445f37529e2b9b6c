"""The command man: the manual page, made from the parser."""

from __future__ import annotations

import datetime as dt
import os
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from .exit_codes import ExitCode
from .output import say, warn
from .parser.tree import help_text, takes_value, walk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from .parser.command_parser import CommandParser


def man(_: argparse.Namespace) -> ExitCode:
    """Print the manual page in the language of man."""
    from .parser.commands import build_parser  # noqa: PLC0415 - it refers to this module

    # As in other tools that write documents, so that a package can be built again with the same content.
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    day = dt.datetime.fromtimestamp(seconds, dt.UTC).date()
    if not say("\n".join(_page(build_parser(), version("vtex-tracking"), day))):
        warn("vtex-tracking man: standard output cannot be written.")
        return ExitCode.INCOMPLETE
    return ExitCode.OK


def _page(parser: CommandParser, number: str, day: dt.date) -> Iterator[str]:
    yield f'.TH VTEX-TRACKING 1 {day} "vtex-tracking {number}" "User Commands"'
    yield from (".nh", ".ad l")  # a hyphen at the end of a line would look like a part of an option
    yield ".SH NAME"
    yield f"vtex\\-tracking \\- {_lower(_text(parser.description or '')).rstrip('.')}"
    yield ".SH SYNOPSIS"
    yield ".B vtex\\-tracking"
    yield ".I COMMAND"
    yield "[...]"
    yield ".SH DESCRIPTION"
    yield _text("Each command has its own options, and --help prints them. An option must be written in full.")
    shared = _shared_sections(parser)
    commands = dict(walk(parser))
    for title, names in parser.groups.items():
        yield f'.SH "COMMANDS: {_text(title.upper())}"'
        for path, command in commands.items():
            if path[:1] and path[0] in names:
                yield from _command(path, command, shared)
    for title, (description, options) in shared.items():
        yield f'.SH "OPTIONS: {_text(title.upper())}"'
        yield _text(description or "These options are the same for all commands that have them.")
        yield from options
    epilog, _, statuses = (parser.epilog or "").partition(": ")
    yield f".SH {_text(epilog.upper())}"
    yield _text(statuses)


def _shared_sections(parser: CommandParser) -> Mapping[str, tuple[str | None, list[str]]]:
    """Return the sections of options that several commands have: the text and the options of each, by title."""
    titles = [title for _, command in walk(parser) for title, _, _ in command.sections if title]
    found = {}
    for _, command in walk(parser):
        for title, text, options in command.sections:
            if title and title != "options" and titles.count(title) > 1:
                found[title] = (text, [line for option in options for line in _option(command, option)])
    return found


def _command(
    path: tuple[str, ...], command: CommandParser, shared: Mapping[str, tuple[str | None, list[str]]]
) -> Iterator[str]:
    arguments = " ".join(map(_usage, command.positionals))
    usage = f"{' '.join(path)} {'ACTION ...' if command.commands else f'[OPTION ...] {arguments}'}"
    yield f'.SS "{_text(usage.strip())}"'
    yield _text(command.description or "")
    for argument in command.positionals:
        if argument.help:
            yield from (".TP", f".I {_text(_name(argument))}", _text(help_text(command, argument)))
    others = []
    for title, _, options in command.sections:
        if title is not None and title in shared:
            others.append(title)
        else:
            for option in options:
                if "--help" not in option.option_strings:
                    yield from _option(command, option)
    if others:
        yield ".PP"
        yield _text(f"It also has the options below: {' and '.join(others)}.")


def _option(command: CommandParser, option: argparse.Action) -> Iterator[str]:
    value = f" {_name(option)}" if takes_value(option) else ""
    yield ".TP"
    yield f".B {_text(', '.join(f'{name}{value}' for name in option.option_strings))}"
    yield _text(help_text(command, option))


def _name(argument: argparse.Action) -> str:
    """Return an argument's name, or the name of an option's value, as the help writes it."""
    if argument.choices is not None:
        return f"{{{','.join(map(str, argument.choices))}}}"
    name = argument.metavar or (argument.dest.upper() if argument.option_strings else argument.dest)
    return name if isinstance(name, str) else " ".join(name)


def _usage(argument: argparse.Action) -> str:
    name = _name(argument)
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}.get(str(argument.nargs), name)


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


def _text(text: str) -> str:
    """Return a text in which man finds no commands: with escaped backslashes, hyphens and characters beyond ASCII."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    text = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in text)
    return f"\\&{text}" if text.startswith((".", "'")) else text
