"""Parsers of commands: help by groups, no abbreviations of options, and suggestions for misspelt names."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class _HelpFormatter(argparse.HelpFormatter):
    """Breaks lines at spaces only: names of options and files contain hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        import textwrap  # noqa: PLC0415 - only --help needs it

        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False, break_long_words=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(f"{indent}{line}" for line in self._split_lines(text, width - len(indent)))


class CommandParser(argparse.ArgumentParser):
    """The parser of a command.

    An option must be written in full, so that an option added later cannot change what a script means.

    Attributes:
        commands: The commands below this one, by name.
        groups: The title of each group of these commands, and the names in it, as the help lists them.
        summary: What the command does, in one line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False, "formatter_class": _HelpFormatter})
        self.commands: dict[str, CommandParser] = {}
        self.groups: dict[str, list[str]] = {}
        self.summary = ""

    @property
    def options(self) -> list[argparse.Action]:
        """The options, in the order of the help."""
        return [action for action in self._actions if action.option_strings]

    @property
    def positionals(self) -> list[argparse.Action]:
        """The arguments without names, except the command."""
        return [action for action in self._actions if not action.option_strings and action.dest not in _COMMAND_NAMES]

    @property
    def sections(self) -> list[tuple[str | None, str | None, list[argparse.Action]]]:
        """The sections of options in the help: title, text and options."""
        sections = [
            (group.title, group.description, [action for action in group._group_actions if action.option_strings])  # noqa: SLF001 - it has no public name
            for group in self._action_groups
        ]
        return [section for section in sections if section[2]]

    def parse_known_args(  # type: ignore[override] # typeshed overloads it for other namespaces
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the arguments of this command, and exit if one of them is unknown.

        argparse calls this for each command, and would report unknown arguments as those of the whole program.
        """
        arguments = sys.argv[1:] if args is None else list(args)
        if self.commands and not arguments:
            # Nothing was done, so this must not count as a success in a script.
            self.print_help(sys.stderr)
            self.exit(2)
        parsed, unknown = super().parse_known_args(arguments, namespace)
        if unknown:
            self.error(self._unknown_text(unknown))
        return parsed, []

    def _unknown_text(self, unknown: Sequence[str]) -> str:
        known = [name for action in self.options for name in action.option_strings]
        unknown = [each for each in unknown if each != "--"]
        # Only the name of an option is quoted: its value may be a credential.
        names = [each.partition("=")[0] for each in unknown if each.startswith("-")]
        option = next((name for name in names if name not in known), None)
        if option is None:  # behind --, an option is an argument
            return f"unexpected argument {unknown[0]!r}"
        return f"unknown option {option}{suggestion(option, known)}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise ArgumentError if a value is not one of the choices of its argument; called by argparse."""
        if action.choices is None or value in action.choices:
            return
        if action.dest in _COMMAND_NAMES:
            raise argparse.ArgumentError(None, f"unknown command {value!r}{suggestion(value, action.choices)}")
        choices = ", ".join(map(str, action.choices))
        text = f"invalid choice: {value!r}: use {choices}{suggestion(value, action.choices)}"
        raise argparse.ArgumentError(action, text)

    def error(self, message: str) -> NoReturn:
        """Print a message about the arguments, and exit with status 2. The options are too many to print them here."""
        self.exit(2, f"{self.prog}: error: {message}\nRun `{self.prog} --help` for help.\n")

    def format_help(self) -> str:
        """Return the help, with the commands listed by group."""
        if not self.groups:
            return super().format_help()
        formatter = self._get_formatter()
        formatter.add_text(self.description)
        for title, names in self.groups.items():
            formatter.start_section(title)
            for name in names:
                formatter.add_argument(argparse.Action([], name, metavar=name, help=self.commands[name].summary))
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments(self.options)
        formatter.end_section()
        formatter.add_text(self.epilog)
        return f"{self.format_usage()}\n{formatter.format_help()}"


class Commands:
    """Adds commands to a parser.

    Args:
        parser: The parser.
        dest: The attribute of the parsed options that holds the name of the command.
    """

    def __init__(self, parser: CommandParser, dest: str) -> None:
        self._parser = parser
        self._subparsers = parser.add_subparsers(dest=dest, required=True, metavar=dest.upper())
        self._group: list[str] = []

    def begin_group(self, title: str) -> None:
        """Let the help list the commands that are added next below a title."""
        self._group = self._parser.groups.setdefault(title, [])

    def add(self, name: str, summary: str, details: str = "", module: str = "") -> CommandParser:
        """Add a command and return its parser.

        Args:
            name: Its name. The function that runs it has this name too, with underscores.
            summary: What the command does, in a line that fits the list of commands.
            details: What its own help says after the summary.
            module: The module of :mod:`vtex_tracking_ext.cli` that has the function, if it is not that of the parser.
        """
        description = f"{summary[0].upper()}{summary[1:]}. {details}".strip()
        parser = self._subparsers.add_parser(name, description=description)
        parser.summary = summary
        if module:
            parser.set_defaults(module=module)
        self._parser.commands[name] = parser
        self._group.append(name)
        return parser


#: The attributes that hold names of commands.
_COMMAND_NAMES = ("command", "action")


def suggestion(value: str, known: Iterable[str]) -> str:
    """Return the end of a message about a misspelt name: the known names that were probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - only after a mistake

    names = [str(name) for name in known]
    meant = [name for name in names if len(value) > len("--") and name.startswith(value)]
    meant = meant or get_close_matches(value, names, n=1)
    return f"; did you mean {' or '.join(meant)}?" if meant else ""
