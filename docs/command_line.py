# ruff: noqa: SLF001 - argparse has no public way to list the groups of a parser
"""The commands of ``vtex-tracking`` as Markdown, from the parser that also prints ``--help``."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.cli.parser.tree import help_text, takes_value, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.cli.parser.command_parser import CommandParser

#: The groups of arguments that every command has of its own; other groups are the same for many commands.
_OWN_GROUPS = {"positional arguments", "options"}


def commands_as_markdown() -> str:
    """Return a section for each command, and one for each group of options that several commands share."""
    shared: dict[str, argparse._ArgumentGroup] = {}
    program = build_parser()
    commands = [command for _, command in walk(program) if not command.commands]
    parts = [part for command in commands for part in _command(command, shared)]
    for title, group in shared.items():
        parts += [f"## {title[0].upper()}{title[1:]}", _escaped(group.description or ""), _list(group, program)]
    return "\n\n".join(filter(None, ["", *parts, ""]))


def _command(parser: CommandParser, shared: dict[str, argparse._ArgumentGroup]) -> Iterator[str]:
    yield f"## {parser.prog}"
    yield _escaped(parser.description or "")
    also = []
    for group in parser._action_groups:
        title = group.title or ""
        if title in _OWN_GROUPS:
            yield _list(group, parser)
        elif group._group_actions:
            shared.setdefault(title, group)
            also.append(f"[{title}](#{title.replace(' ', '-')})")
    if also:
        yield f"Also the options of {' and '.join(also)}."


def _list(group: argparse._ArgumentGroup, parser: CommandParser) -> str:
    return "\n".join(
        f"- {_names(action)}: {_escaped(help_text(parser, action))}"
        for action in group._group_actions
        if action.help is not argparse.SUPPRESS and not isinstance(action, argparse._HelpAction)
    )


def _names(action: argparse.Action) -> str:
    formatter = argparse.HelpFormatter("")
    value = formatter._format_args(action, action.dest.upper()) if takes_value(action) else ""
    names = [f"{name} {value}".strip() for name in action.option_strings] or [value]
    return ", ".join(f"`{name}`" for name in names)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|{}$#])", r"\\\1", text)
