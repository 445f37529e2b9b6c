"""The parser of ``vtex-tracking``."""

from __future__ import annotations

from .command_parser import CommandParser, Commands
from .journal import add_journal_commands
from .orders import add_order_commands
from .sending import add_sending_commands
from .services import add_service_commands
from .setup import add_setup_commands
from .show_version import ShowVersion


def build_parser() -> CommandParser:
    """Return the parser of all commands."""
    parser = CommandParser(
        prog="vtex-tracking",
        description="Tell VTEX stores where their parcels are.",
        epilog="Exit status: 0 all applied, 1 some refused, 2 usage or input, 3 configuration or credentials, "
        "4 outcomes unknown remain, 5 incomplete (run again to resume), 130 interrupted.",
    )
    parser.add_argument("--version", action=ShowVersion, help="show program's version number and exit")
    commands = Commands(parser, "command")
    add_sending_commands(commands)
    add_journal_commands(commands)
    add_order_commands(commands)
    add_service_commands(commands)
    add_setup_commands(commands)
    return parser
